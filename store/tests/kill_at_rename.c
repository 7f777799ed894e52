/* Loaded in front of a process: once the file named by LASTWORDS_TEST_KILL_FLAG exists, the process is killed at the
   moment at which it would give a newly inserted part its final name. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void at_rename(const char *from) {
  const char *flag = getenv("LASTWORDS_TEST_KILL_FLAG");
  if (flag && from && strstr(from, "tmp_insert") && access(flag, F_OK) == 0) kill(getpid(), SIGKILL);
}

int rename(const char *from, const char *to) {
  int (*next)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  at_rename(from);
  return next(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  at_rename(from);
  return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

long syscall(long number, ...) {
  static long (*next)(long, ...);
  if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_renameat2) at_rename((const char *)a[1]);
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
