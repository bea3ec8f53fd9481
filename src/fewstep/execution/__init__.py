"""Many tasks at once: serial, threads, vmap, ranks."""
