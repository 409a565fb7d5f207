#ifndef WINDOWS_UTSNAME_H
#define WINDOWS_UTSNAME_H

struct utsname {
    char sysname[16], release[32], machine[16];
};
int windows_uname(struct utsname *out);
#define uname windows_uname
#endif
