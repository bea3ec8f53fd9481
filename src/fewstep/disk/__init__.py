"""Files as they lie on disks: whole writes, locks, the cache, archives, people's litter."""
