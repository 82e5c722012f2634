/* sigbus.c - a page of a mapped file that cannot be read ends the program with one line: which file, where in it, what to do.
 *
 * The kernel tells of it by SIGBUS in the middle of whatever was reading: the disk failed, or somebody cut the file. There is nothing to
 * go back to, so nothing is tried: leaving at once is safe, since what is committed is on disk and opening repairs nothing. Only
 * functions that are async-signal-safe are called. Which file it was the kernel knows: /proc/self/maps, one mapping a line,
 *
 *   start-end perms offset major:minor inode   path
 *
 * numbers in hexadecimal but the inode; in the path a line break is written \012. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define PATH_ROOM 4096

/* Not on the stack, which may be a small one. One thread alone gets to use them. */
static char chunk[4096], line[PATH_ROOM + 128], out[PATH_ROOM + 512];
static size_t out_len;

static void add(const char *s)
{
    for (; *s && out_len < sizeof out - 1; s++)
        out[out_len++] = (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s;
}

static void add_number(uint64_t n)
{
    char digits[24], *p = digits + sizeof digits;
    *--p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    add(p);
}

static uint64_t take_hex(const char **p)
{
    uint64_t n = 0;
    for (;; (*p)++) {
        if (**p >= '0' && **p <= '9')
            n = n * 16 + (uint64_t)(**p - '0');
        else if (**p >= 'a' && **p <= 'f')
            n = n * 16 + (uint64_t)(**p - 'a' + 10);
        else
            return n;
    }
}

/* The file of a line of maps, if the address is in it; NULL: it is not, or there is no file. */
static const char *file_of_line(uintptr_t address, uint64_t *offset)
{
    const char *p = line;
    uint64_t start = take_hex(&p);
    if (*p++ != '-')
        return NULL;
    uint64_t end = take_hex(&p);
    if (address < start || address >= end || strnlen(p, 6) < 6)
        return NULL;
    p += 6; /* " r--p " */
    *offset = take_hex(&p) + (address - start);
    p = strchr(p, '/');
    return p;
}

static const char *file_at(uintptr_t address, uint64_t *offset)
{
    const char *file = NULL;
    size_t n = 0;
    ssize_t got;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && !file && (got = read(fd, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < got && !file; i++) {
            if (chunk[i] != '\n') {
                if (n < sizeof line - 1)
                    line[n++] = chunk[i];
                continue;
            }
            line[n] = 0;
            n = 0;
            file = file_of_line(address, offset);
        }
    return file;
}

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
    static atomic_flag taken = ATOMIC_FLAG_INIT;
    (void)context;
    if (info->si_code != BUS_ADRERR && info->si_code != BUS_MCEERR_AR) { /* no page's fault: a defect, or sent by somebody */
        signal(signal_number, SIG_DFL);
        raise(signal_number); /* delivered on return */
        return;
    }
    while (atomic_flag_test_and_set(&taken)) /* another thread is at it, and ends us */
        pause();
    uint64_t offset = 0;
    const char *file = file_at((uintptr_t)info->si_addr, &offset);
    add("backread: ");
    add(file ? file : "a mapped file");
    add(" cannot be read");
    if (file) {
        add(" at byte ");
        add_number(offset);
    }
    add(": the disk failed, or the file was cut short meanwhile: run `backread verify --deep` to see what is damaged");
    out[out_len++] = '\n';
    for (size_t done = 0; done < out_len;) {
        ssize_t n = write(STDERR_FILENO, out + done, out_len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    _exit(BR_STATUS_DAMAGED);
}

void sigbus_is_told(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
