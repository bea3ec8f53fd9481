"""`fewstep draw`: a page on this machine on which classes are drawn, learned and recognized."""
