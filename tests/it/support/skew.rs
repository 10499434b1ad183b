//! A wall clock that jumps, for one process: a library that is loaded before all others answers in
//! the kernel's place, and adds what a file says.
//!
//! Namespaces of time have clocks that count from the start of the machine, and not this one; a
//! package for the purpose (`faketime`) moves the monotonic clock, too, which no operator can. The
//! library is C because it takes the place of C's functions; what links Rust's programs, `cc`,
//! makes it.

use std::process::Command;

use tempfile::TempDir;

use super::{command, node::Builder};

/// A clock, which is right at first.
pub(crate) struct Skew(TempDir);

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long skew(void) {
    const char *path = getenv("CLOCK_SKEW");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[32] = {0};
    long long seconds = file >= 0 && read(file, text, 31) > 0 ? atoll(text) : 0;
    if (file >= 0) close(file);
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += skew();
    return failed;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
"#;

// === impl Skew ===

impl Skew {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).arg(folder.path().join("skew.so"));
        command::run_with(cc.args(["-x", "c", "-"]), LIBRARY).ok();
        let skew = Self(folder);
        skew.jump(0);
        skew
    }

    /// From now on the clock is so many seconds from what is right.
    pub(crate) fn jump(&self, seconds: i64) {
        super::tls::put(&self.0.path().join("seconds"), &seconds.to_string());
    }

    /// Starts a server by this clock.
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        builder.env("LD_PRELOAD", &path("skew.so")).env("CLOCK_SKEW", &path("seconds"))
    }
}
