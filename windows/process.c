/* The environment, the system, signals and loaded libraries. */
#include "wide.h"

#include <dlfcn.h>
#include <sys/utsname.h>

#include <windows.h>

#include <bcrypt.h>

/* ---- environment ---- */

/* What getenv() returned stays: one text for each name and value. */
typedef struct variable {
    struct variable *next;
    char *name, *value;
} variable;
static variable *variables;
static pthread_mutex_t variables_lock = PTHREAD_MUTEX_INITIALIZER;

static char *keep(const char *name, char *value) {
    variable *at;
    pthread_mutex_lock(&variables_lock);
    for (at = variables; at; at = at->next)
        if (strcmp(at->name, name) == 0 && strcmp(at->value, value) == 0) break;
    if (!at && (at = calloc(1, sizeof *at)) && (at->name = _strdup(name))) {
        at->value = value;
        at->next = variables;
        variables = at;
        value = NULL;
    }
    pthread_mutex_unlock(&variables_lock);
    free(value);
    return at ? at->value : NULL;
}

char *windows_getenv(const char *name) {
    wchar_t *wide = wide_text(name);
    const wchar_t *found = wide ? _wgetenv(wide) : NULL;
    char *value = found ? windows_narrow_text(found) : NULL;
    free(wide);
    return value ? keep(name, value) : NULL;
}

int windows_setenv(const char *name, const char *value, int overwrite) {
    if (!overwrite && windows_getenv(name)) return 0;
    const size_t room = strlen(name) + strlen(value) + 2;
    char *text = malloc(room);
    if (!text) return -1;
    snprintf(text, room, "%s=%s", name, value);
    wchar_t *wide = wide_text(text);
    const int result = wide ? _wputenv(wide) : -1;
    free(wide);
    free(text);
    return result;
}

int windows_unsetenv(const char *name) { return windows_setenv(name, "", 1); }

const char *windows_temporary_folder(void) {
    wchar_t folder[MAX_PATH + 1];
    char *text = GetTempPathW(MAX_PATH + 1, folder) ? windows_narrow_text(folder) : NULL;
    for (char *at = text; at && *at; at++)
        if (*at == '\\') *at = '/';
    const char *kept = text ? keep("", text) : NULL;
    return kept ? kept : "./";
}

/* ---- the system ---- */

int windows_isatty(int file) {
    DWORD mode;
    return GetConsoleMode((HANDLE)_get_osfhandle(file), &mode) != 0;
}

int windows_geteuid(void) { return 0; }

long windows_sysconf(int name) {
    SYSTEM_INFO system;
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    GetNativeSystemInfo(&system);
    if (name == _SC_PAGE_SIZE) return (long)system.dwPageSize;
    if (name == _SC_NPROCESSORS_ONLN) return (long)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    if (name == _SC_PHYS_PAGES && GlobalMemoryStatusEx(&memory)) return (long)(memory.ullTotalPhys / system.dwPageSize);
    errno = EINVAL;
    return -1;
}

/* Windows never promises more memory than it and its page file have: what is left of that promise is a limit of its
 * own. So is a job's limit. */
uint64_t windows_available_bytes(void) {
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION job = {0};
    if (!GlobalMemoryStatusEx(&memory)) return 0;
    uint64_t left = memory.ullAvailPhys < memory.ullAvailPageFile ? memory.ullAvailPhys : memory.ullAvailPageFile;
    if (QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &job, sizeof job, NULL)) {
        const DWORD flags = job.BasicLimitInformation.LimitFlags;
        if ((flags & JOB_OBJECT_LIMIT_PROCESS_MEMORY) && job.ProcessMemoryLimit < left) left = job.ProcessMemoryLimit;
        if ((flags & JOB_OBJECT_LIMIT_JOB_MEMORY) && job.JobMemoryLimit < left) left = job.JobMemoryLimit;
    }
    return left;
}

ssize_t windows_getrandom(void *out, size_t size, unsigned flags) {
    (void)flags;
    if (BCryptGenRandom(NULL, out, (ULONG)size, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0) return (ssize_t)size;
    errno = EIO;
    return -1;
}

int windows_uname(struct utsname *out) {
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    LONG(WINAPI * get_version)(OSVERSIONINFOW *);
    FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetVersion");
    memcpy(&get_version, &found, sizeof found);
    if (!get_version || get_version(&version) != 0) return -1;
    *out = (struct utsname){.sysname = "Windows", .machine = "x86_64"};
    snprintf(out->release, sizeof out->release, "%lu.%lu.%lu", version.dwMajorVersion, version.dwMinorVersion,
             version.dwBuildNumber);
    return 0;
}

/* ---- loaded libraries ---- */

void *windows_dlopen(const char *name, int flags) {
    (void)flags;
    wchar_t *wide = wide_text(name);
    HMODULE library = wide ? LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS) : NULL;
    HMODULE stays;
    if (library && (flags & RTLD_NODELETE)) GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, wide, &stays);
    free(wide);
    return library;
}

void *windows_dlsym(void *library, const char *name) {
    const FARPROC found = GetProcAddress(library, name);
    void *symbol;
    memcpy(&symbol, &found, sizeof symbol);
    return symbol;
}

int windows_dlclose(void *library) { return FreeLibrary(library) ? 0 : -1; }

/* ---- signals ---- */

enum { SIGNALS = 32, CLOSING_MILLISECONDS = 10000 };
static struct windows_sigaction *_Atomic handlers[SIGNALS];
static struct windows_sigaction kept[SIGNALS];
static pthread_once_t watching = PTHREAD_ONCE_INIT;

/* Runs in a thread of its own. When it returns from a hang-up the system ends the process: it waits, so that the
 * program can end by itself within the time that the system gives it. */
static BOOL WINAPI on_event(DWORD event) {
    const int number = event == CTRL_C_EVENT ? SIGINT : event == CTRL_BREAK_EVENT ? SIGTERM : SIGHUP;
    struct windows_sigaction *action = handlers[number];
    if (!action || action->sa_handler == SIG_DFL) return FALSE;
    void (*handler)(int) = action->sa_handler;
    if (handler == SIG_IGN) return TRUE;
    if (action->sa_flags & SA_RESETHAND) handlers[number] = NULL;
    handler(number);
    if (number == SIGHUP) Sleep(CLOSING_MILLISECONDS);
    return TRUE;
}

static void watch(void) { SetConsoleCtrlHandler(on_event, TRUE); }

int windows_sigaction(int number, const struct windows_sigaction *action, struct windows_sigaction *before) {
    if (number < 0 || number >= SIGNALS) {
        errno = EINVAL;
        return -1;
    }
    if (before) *before = handlers[number] ? *handlers[number] : (struct windows_sigaction){0};
    if (!action) return 0;
    handlers[number] = NULL;
    kept[number] = *action;
    handlers[number] = &kept[number];
    pthread_once(&watching, watch);
    return 0;
}

void windows_signal(int number, void (*handler)(int number)) {
    sigaction(number, &(struct windows_sigaction){.sa_handler = handler}, NULL);
}
