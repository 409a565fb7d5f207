/* Nothing: what POSIX has here is in posix.h, or is not there. */
