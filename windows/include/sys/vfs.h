#ifndef WINDOWS_VFS_H
#define WINDOWS_VFS_H

/* f_type: 0 for NTFS and ReFS on a drive of this machine, whose times tell every change; that of FAT for all others. */
struct windows_statfs {
    unsigned long f_type;
};
int windows_statfs(const char *path, struct windows_statfs *out);
#define statfs windows_statfs
#endif
