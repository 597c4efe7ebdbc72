"""Plays an iPhone, iPad or Mac over HTTPS and refuses what a real one refuses.

It shares no codec and no service with the server, so that two readings of the protocol check each other.
"""
