"""How dates are shown, where Django's own way for a language does not fit into a list."""
