# SPDX-License-Identifier: Apache-2.0
# Probes compiler and linker flags, one by one, and collects those that work in CS_* variables.
# A compile flag counts when it compiles under -Werror, a link flag when a program links with it:
# compilers accept flags that their linker refuses, and clang only warns about unknown warnings.

# CS_TRY_CFLAGS(VARIABLE, FLAGS): append each flag that compiles to VARIABLE.
# The probe has no confdefs.h, whose macros it would not use, and an #include, so that FORTIFY without
# -O is noticed.
AC_DEFUN([CS_TRY_CFLAGS], [
  for cs_flag in $2; do
    AS_VAR_PUSHDEF([cs_cache], [cs_cv_cflag_$cs_flag])
    AC_CACHE_CHECK([whether $CC accepts $cs_flag], [cs_cache], [
      cs_save_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -Werror $cs_flag"
      AS_ECHO(["#include <stdio.h>"]) >conftest.$ac_ext
      AS_ECHO(["int main(void) { return puts(\"x\") < 0; }"]) >>conftest.$ac_ext
      AC_COMPILE_IFELSE([],
        [AS_VAR_SET([cs_cache], [yes])], [AS_VAR_SET([cs_cache], [no])])
      CFLAGS=$cs_save_CFLAGS])
    AS_VAR_IF([cs_cache], [yes], [AS_VAR_APPEND([$1], [" $cs_flag"])])
    AS_VAR_POPDEF([cs_cache])
  done])

# CS_TRY_LDFLAGS(VARIABLE, FLAGS): append each flag that links to VARIABLE.
AC_DEFUN([CS_TRY_LDFLAGS], [
  for cs_flag in $2; do
    AS_VAR_PUSHDEF([cs_cache], [cs_cv_ldflag_$cs_flag])
    AC_CACHE_CHECK([whether $CC links with $cs_flag], [cs_cache], [
      cs_save_CFLAGS=$CFLAGS
      cs_save_LDFLAGS=$LDFLAGS
      CFLAGS="$CFLAGS -Werror -fPIE"
      LDFLAGS="$LDFLAGS -Wl,--fatal-warnings $cs_flag"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[return puts("x") < 0;]])],
        [AS_VAR_SET([cs_cache], [yes])], [AS_VAR_SET([cs_cache], [no])])
      CFLAGS=$cs_save_CFLAGS
      LDFLAGS=$cs_save_LDFLAGS])
    AS_VAR_IF([cs_cache], [yes], [AS_VAR_APPEND([$1], [" $cs_flag"])])
    AS_VAR_POPDEF([cs_cache])
  done])

# CS_WARNING_FLAGS: CS_WARN_CFLAGS. The second list is gcc's, the third clang's;
# each compiler refuses the other's flags by itself.
AC_DEFUN([CS_WARNING_FLAGS], [
  CS_WARN_CFLAGS=
  CS_TRY_CFLAGS([CS_WARN_CFLAGS], [ \
    -std=gnu11 \
    -Wall \
    -Wextra \
    -Wshadow \
    -Wconversion \
    -Wsign-conversion \
    -Wformat=2 \
    -Wmissing-prototypes \
    -Wstrict-prototypes \
    -Wold-style-definition \
    -Wnested-externs \
    -Wredundant-decls \
    -Wundef \
    -Wpointer-arith \
    -Wwrite-strings \
    -Wcast-qual \
    -Wcast-align \
    -Wvla \
    -Walloca \
    -Wswitch-enum \
    -Wimplicit-fallthrough \
    -Wnull-dereference \
    -Wdouble-promotion \
    -Wfloat-equal \
    -Wunused-macros \
    -Wdate-time \
    -Werror=implicit-function-declaration \
    -Werror=incompatible-pointer-types \
    -Werror=int-conversion \
    -Werror=return-type])
  CS_TRY_CFLAGS([CS_WARN_CFLAGS], [ \
    -Warith-conversion \
    -Wformat-overflow=2 \
    -Wformat-truncation=2 \
    -Wformat-signedness \
    -Wcast-align=strict \
    -Wduplicated-cond \
    -Wduplicated-branches \
    -Wlogical-op \
    -Wjump-misses-init \
    -Wtrampolines \
    -Walloc-zero \
    -Wstringop-overflow=4 \
    -Warray-bounds=2 \
    -Wbidi-chars=any \
    -Wuse-after-free=3 \
    -Wdangling-pointer=2 \
    -Wstack-usage=16384 \
    -Wenum-int-mismatch])
  CS_TRY_CFLAGS([CS_WARN_CFLAGS], [ \
    -Wmissing-variable-declarations \
    -Wconditional-uninitialized \
    -Wcomma \
    -Wassign-enum \
    -Wunreachable-code-break \
    -Wextra-semi-stmt \
    -Wbitwise-instead-of-logical \
    -Wthread-safety])
  AS_IF([test "x$enable_werror" = xyes], [AS_VAR_APPEND([CS_WARN_CFLAGS], [" -Werror"])])
  AC_SUBST([CS_WARN_CFLAGS])])

# CS_HARDENING_FLAGS: CS_HARDEN_CPPFLAGS, CS_HARDEN_CFLAGS, CS_HARDEN_LDFLAGS (programs and
# libraries) and CS_PIE_LDFLAGS (programs only).
# FORTIFY and auto-var-init hide from a sanitizer what it should find, and a sanitizer's
# run-time symbols are undefined in shared libraries, so -z defs goes too.
AC_DEFUN([CS_HARDENING_FLAGS], [
  CS_HARDEN_CPPFLAGS=
  CS_HARDEN_CFLAGS=
  CS_HARDEN_LDFLAGS=
  CS_PIE_LDFLAGS=
  AS_IF([test "x$enable_hardening" != xno], [
    CS_TRY_CFLAGS([CS_HARDEN_CFLAGS], [ \
      -fPIE \
      -fstack-protector-strong \
      -fstack-clash-protection \
      -fcf-protection=full \
      -mbranch-protection=standard \
      -fno-common \
      -fvisibility=hidden \
      -fno-delete-null-pointer-checks \
      -fno-strict-overflow \
      -fstrict-flex-arrays=3 \
      -fzero-call-used-regs=used-gpr])
    CS_TRY_LDFLAGS([CS_PIE_LDFLAGS], [-pie])
    CS_TRY_LDFLAGS([CS_HARDEN_LDFLAGS], [ \
      -Wl,-z,relro \
      -Wl,-z,now \
      -Wl,-z,noexecstack \
      -Wl,-z,separate-code \
      -Wl,--as-needed \
      -Wl,--fatal-warnings])
    AS_IF([test "x$enable_sanitize" = xno], [
      CS_TRY_CFLAGS([CS_HARDEN_CFLAGS], [-ftrivial-auto-var-init=zero])
      CS_TRY_CFLAGS([CS_HARDEN_CPPFLAGS], ["-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
      CS_TRY_LDFLAGS([CS_HARDEN_LDFLAGS], [-Wl,-z,defs])])])
  AC_SUBST([CS_HARDEN_CPPFLAGS])
  AC_SUBST([CS_HARDEN_CFLAGS])
  AC_SUBST([CS_HARDEN_LDFLAGS])
  AC_SUBST([CS_PIE_LDFLAGS])])

# CS_NEED_FLAGS(VARIABLE, FLAGS, OPTION): append FLAGS, which must compile and link, or stop.
AC_DEFUN([CS_NEED_FLAGS], [
  AC_MSG_CHECKING([whether $CC builds with $2])
  cs_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[return puts("x") < 0;]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$3: $CC does not build with $2])])
  CFLAGS=$cs_save_CFLAGS
  AS_VAR_APPEND([$1], [" $2"])])

# CS_INSTRUMENT_FLAGS: CS_INSTRUMENT_CFLAGS (also for linking) of --enable-sanitize, --enable-fuzz
# and --enable-coverage, and CS_FUZZ_LDFLAGS, which brings libFuzzer's main().
AC_DEFUN([CS_INSTRUMENT_FLAGS], [
  CS_INSTRUMENT_CFLAGS=
  CS_FUZZ_LDFLAGS=
  AS_IF([test "x$enable_sanitize" != xno], [
    CS_NEED_FLAGS([CS_INSTRUMENT_CFLAGS],
      [-fsanitize=$enable_sanitize -fno-sanitize-recover=all -fno-omit-frame-pointer],
      [--enable-sanitize])])
  AS_IF([test "x$enable_fuzz" = xyes], [
    CS_NEED_FLAGS([CS_INSTRUMENT_CFLAGS], [-fsanitize=fuzzer-no-link],
      [--enable-fuzz (use CC=clang)])
    CS_FUZZ_LDFLAGS=-fsanitize=fuzzer])
  AS_IF([test "x$enable_coverage" = xyes], [
    CS_NEED_FLAGS([CS_INSTRUMENT_CFLAGS], [--coverage], [--enable-coverage])
    CS_TRY_CFLAGS([CS_INSTRUMENT_CFLAGS], [-fprofile-update=atomic])])
  AC_SUBST([CS_INSTRUMENT_CFLAGS])
  AC_SUBST([CS_FUZZ_LDFLAGS])])
