"""Wrong programs, one change each: does a fast test notice?"""
