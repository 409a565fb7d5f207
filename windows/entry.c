/* Where a program begins: Windows hands over UTF-16 arguments. main() gets them in UTF-8, with / for the \ between
 * folders, and a console that shows UTF-8; standard streams are bytes. */
#include "wide.h"

#include <fcntl.h>
#include <windows.h>

int main(int argc, char **argv);
int wmain(int argc, wchar_t **argv);

static UINT code_page;
static DWORD modes[2];
static bool had_console;

static void restore_console(void) {
    if (!had_console) return;
    fflush(stdout);
    SetConsoleOutputCP(code_page);
    SetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), modes[0]);
    SetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), modes[1]);
}

/* A console understands the sequences that draw a progress bar once it is asked to, from Windows 10 on. $TERM then says
 * so, as it does on other systems. */
static void prepare_console(void) {
    code_page = GetConsoleOutputCP();
    had_console = code_page != 0;
    if (!had_console) return;
    GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &modes[0]);
    const HANDLE error = GetStdHandle(STD_ERROR_HANDLE);
    const bool is_console = GetConsoleMode(error, &modes[1]);
    SetConsoleOutputCP(CP_UTF8);
    if (is_console && SetConsoleMode(error, modes[1] | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
        setenv("TERM", "windows", 0);
    atexit(restore_console);
}

/* What the rest is compiled for (cmake/Windows.cmake). */
static bool processor_suffices(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

int wmain(int argc, wchar_t **argv) {
    if (!processor_suffices()) {
        fputs("adatom: this program needs a processor with AVX2, FMA and BMI2 (Intel's since 2013, AMD's since 2015)\n",
              stderr);
        return 1;
    }
    char **texts = calloc((size_t)argc + 1, sizeof *texts);
    for (int i = 0; texts && i < argc; i++) {
        for (wchar_t *at = argv[i]; *at; at++)
            if (*at == L'\\') *at = L'/';
        if (!(texts[i] = windows_narrow_text(argv[i]))) texts = NULL;
    }
    if (!texts) {
        fputs("out of memory\n", stderr);
        return 1;
    }
    _setmode(0, O_BINARY);
    _setmode(1, O_BINARY);
    _setmode(2, O_BINARY);
    prepare_console();
    return main(argc, texts);
}
