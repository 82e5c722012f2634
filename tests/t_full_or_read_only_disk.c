/* A full file system, and one that cannot be written, for real: a tmpfs of every size from 1 to 12 MiB. An import that runs out of space says so in one
 * line; what it stored before is found, whole, while the disk is still full; and once there is room, running it again completes it. On a read-only
 * file system everything but writing works; where that needs a file that cannot be made there, one line says to copy the archive first.
 *
 * `--long`: sizes in steps of 128 KiB instead of 1 MiB (4 MiB under the sanitizers). */
#include "cli_run.h"
#include "tiny_model.h"

#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <time.h>

#define MESSAGES 1382 /* of the sample */

static char sample[2048], model[1200], disk[600], plain[600]; /* the mounted directory; one beside it */
#ifdef __SANITIZE_ADDRESS__
static unsigned step_kib = 4096;
#else
static unsigned step_kib = 1024;
#endif

#define ON_DISK(...) RUN("disk/home", "--model", model, __VA_ARGS__)

/* ---- a mount namespace of our own, so that nothing is left mounted however this ends ---- */

static void put_line(const char *path, const char *line)
{
    FILE *f = fopen(path, "w");
    if (f) {
        fputs(line, f);
        fclose(f);
    }
}

static bool may_mount(void)
{
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        put_line("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
        put_line("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
        put_line("/proc/self/gid_map", map);
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0 && umount(disk) == 0;
}

static void mount_disk(unsigned kib)
{
    char size[32];
    snprintf(size, sizeof size, "size=%uk", kib);
    if (mount("tmpfs", disk, "tmpfs", 0, size) != 0)
        fail_msg("cannot mount: %s", strerror(errno));
}

static void remount_disk(unsigned kib, unsigned long flags)
{
    char size[32];
    snprintf(size, sizeof size, "size=%uk", kib);
    if (mount("tmpfs", disk, "tmpfs", MS_REMOUNT | flags, size) != 0)
        fail_msg("cannot remount: %s", strerror(errno));
}

/* ---- asking ---- */

static json_int_t messages_in(const char *home)
{
    struct outcome o = RUN(home, "--model", model, "status", "--json");
    assert_done(&o);
    json_t *j = document(&o), *list = at(j, "workspaces");
    json_int_t n = json_array_size(list) ? number(json_array_get(list, 0), "messages") : 0;
    json_decref(j);
    done(&o);
    return n;
}

static void verify_is_well(const char *home)
{
    struct outcome o = RUN(home, "--model", model, "verify", "--deep");
    assert_done(&o);
    done(&o);
}

static size_t hits_in(const char *home)
{
    struct outcome o = RUN(home, "--model", model, "search", "-n", "50", "--json", "maps of the city");
    assert_done(&o);
    json_t *j = document(&o), *hits = at(j, "hits"), *hit;
    size_t i, n = json_array_size(hits);
    json_array_foreach(hits, i, hit)
        assert_true(json_string_length(at(hit, "text")) > 0);
    json_decref(j);
    done(&o);
    return n;
}

/* ---- a full disk ---- */

static bool import_into(unsigned kib)
{
    struct outcome o = ON_DISK("import", "-q", sample);
    if (o.status)
        assert_error(&o, 4);
    bool failed = o.status != 0;
    done(&o);
    json_int_t stored = messages_in("disk/home");
    assert_true(stored >= 0 && stored <= MESSAGES);
    verify_is_well("disk/home");
    if (stored > 0)
        assert_true(hits_in("disk/home") > 0);
    remount_disk(kib + 65536, 0);
    assert_int_equal(messages_in("disk/home"), stored);
    o = ON_DISK("import", "-q", sample);
    assert_done(&o);
    done(&o);
    assert_int_equal(messages_in("disk/home"), MESSAGES);
    verify_is_well("disk/home");
    assert_int_equal(hits_in("disk/home"), 50);
    return failed;
}

static void a_full_disk_keeps_what_is_stored_and_a_rerun_completes(void **state)
{
    (void)state;
    unsigned full = 0, sizes = 0;
    for (unsigned kib = 1024; kib <= 12288; kib += step_kib) {
        mount_disk(kib);
        full += import_into(kib);
        sizes++;
        assert_int_equal(umount(disk), 0);
    }
    printf("%u sizes, %u too small\n", sizes, full);
    assert_true(full > 0);
}

/* ---- a read-only one ---- */

static void reading_works(json_int_t messages)
{
    struct outcome o = ON_DISK("channel", "-n", "5", "general");
    assert_done(&o);
    assert_true(strlen(o.out) > 0);
    done(&o);
    assert_int_equal(messages_in("disk/home"), messages);
    assert_true(hits_in("disk/home") > 0);
    verify_is_well("disk/home");
}

static void writing_is_refused(void)
{
    struct outcome o = ON_DISK("import", "-q", sample);
    assert_error(&o, 4);
    assert_int_equal(strlen(o.out), 0);
    done(&o);
}

static void a_read_only_disk_is_read(void **state)
{
    (void)state;
    mount_disk(65536);
    struct outcome o = ON_DISK("import", "-q", sample);
    assert_done(&o);
    done(&o);
    remount_disk(65536, MS_RDONLY);
    reading_works(MESSAGES);
    writing_is_refused();
    remount_disk(65536, 0);
    reading_works(MESSAGES);
    assert_int_equal(umount(disk), 0);
}

static off_t wal_size(char *path, size_t n)
{
    char pattern[700];
    struct stat st;
    glob_t g;
    snprintf(pattern, sizeof pattern, "%s/home/workspaces/*/metadata.db-wal", disk);
    if (glob(pattern, 0, NULL, &g) != 0)
        return 0;
    snprintf(path, n, "%s", g.gl_pathv[0]);
    globfree(&g);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* Kills an import when the write-ahead log has grown to a size. */
static void leave_a_wal(char *path, size_t n)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("BACKREAD_HOME", in_scratch("disk/home"), 1);
        execl(binary, binary, "--model", model, "import", "-q", sample, (char *)NULL);
        _exit(98);
    }
    for (int i = 0; i < 20000 && wal_size(path, n) < 400000; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    kill(pid, SIGKILL);
    assert_true(waitpid(pid, NULL, 0) == pid);
    assert_true(wal_size(path, n) >= 400000);
}

static void copy_disk(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("cp", "cp", "-R", in_scratch("disk/home"), plain, (char *)NULL);
        _exit(98);
    }
    int status;
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The index of the write-ahead log is a file beside it: with it reading works, without it one line says what to do. */
static void a_killed_writers_log_is_not_overlooked_on_a_read_only_disk(void **state)
{
    (void)state;
    char wal[1024], shm[1024];
    mount_disk(65536);
    leave_a_wal(wal, sizeof wal);
    remount_disk(65536, MS_RDONLY);
    copy_disk();
    json_int_t stored = messages_in("copy");
    assert_true(stored > 0);
    reading_works(stored);
    writing_is_refused();
    remount_disk(65536, 0);
    snprintf(shm, sizeof shm, "%.*sshm", (int)strlen(wal) - 3, wal);
    assert_int_equal(unlink(shm), 0);
    remount_disk(65536, MS_RDONLY);
    static const char *const commands[][3] = {{"status", NULL, NULL}, {"search", "maps", NULL}, {"verify", NULL, NULL}, {"channel", "general", NULL}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct outcome o = ON_DISK(commands[i][0], commands[i][1], commands[i][2]);
        assert_error(&o, 4);
        assert_non_null(strstr(o.err, "copy the workspace to writable storage first"));
        done(&o);
    }
    writing_is_refused();
    e2e_remove_tree(plain);
    copy_disk(); /* as the line says */
    assert_int_equal(messages_in("copy"), stored);
    verify_is_well("copy");
    assert_int_equal(umount(disk), 0);
}

int main(int argc, char **argv)
{
    binary = getenv("BACKREAD_BINARY");
    if (!binary) {
        printf("SKIPPED: BACKREAD_BINARY is not set\n");
        return 77;
    }
    if (argc > 1 && strcmp(argv[1], "--long") == 0)
        step_kib = 128;
    e2e_scratch(scratch, sizeof scratch);
    snprintf(disk, sizeof disk, "%s", in_scratch("disk"));
    snprintf(plain, sizeof plain, "%s", in_scratch("copy"));
    mkdir(disk, 0700);
    if (!may_mount()) {
        printf("SKIPPED: mounting a tmpfs is not allowed here (%s)\n", strerror(errno));
        e2e_remove_tree(scratch);
        return 77;
    }
    tiny_model(scratch, model, sizeof model);
    e2e_source_path(sample, sizeof sample, "data/sample/houstondatavis.zip");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_keeps_what_is_stored_and_a_rerun_completes),
        cmocka_unit_test(a_read_only_disk_is_read),
        cmocka_unit_test(a_killed_writers_log_is_not_overlooked_on_a_read_only_disk),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    umount(disk);
    e2e_remove_tree(scratch);
    return failed;
}
