"""SCEP (RFC 8894) as bytes: requests in, replies out.  Certificates are issued elsewhere."""
