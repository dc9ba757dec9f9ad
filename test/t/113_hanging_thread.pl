# A thread that hangs inside a system call cannot be joined.  The worker then leaves by _exit after its deadline: no atexit
# handler of a library runs under the live thread, so a fast shutdown stays one, and the server never crashes for it.
#
# The hang is made by a preloaded library that never returns from reading a certain directory, and whose destructor aborts
# the process while a thread hangs, as a library's might.

use strict;
use warnings;

use FelderaIngest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $directory = PostgreSQL::Test::Utils::tempdir();
my $table = "$directory/hanging_table";
for my $path ($table, "$table/_delta_log") { mkdir($path) or die "mkdir: $!"; }
open(my $log, '>', "$table/_delta_log/00000000000000000000.json") or die "open: $!";
print $log "{}\n";
close($log);

open(my $source, '>', "$directory/hang.c") or die "open: $!";
print $source <<'EOC';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
static volatile int hangs;
static void hang_where_asked(int fd)
{
	char link[64], path[4096];
	ssize_t length;
	if (syscall(SYS_gettid) == getpid()) return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0) return;
	path[length] = 0;
	if (strstr(path, "hanging_table") == NULL) return;
	hangs = 1;
	snprintf(path, sizeof(path), MARK ".%d", (int) getpid());
	fclose(fopen(path, "w"));
	for (;;) pause();
}
ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	static ssize_t (*next)(int, void *, size_t, off_t);
	if (!next) next = dlsym(RTLD_NEXT, "pread");
	hang_where_asked(fd);
	return next(fd, data, size, offset);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
	static ssize_t (*next)(int, void *, size_t, off64_t);
	if (!next) next = dlsym(RTLD_NEXT, "pread64");
	hang_where_asked(fd);
	return next(fd, data, size, offset);
}
ssize_t read(int fd, void *data, size_t size)
{
	static ssize_t (*next)(int, void *, size_t);
	if (!next) next = dlsym(RTLD_NEXT, "read");
	hang_where_asked(fd);
	return next(fd, data, size);
}
__attribute__((destructor)) static void farewell(void) { if (hangs) abort(); }
EOC
close($source);
IPC::Run::run([
		'gcc', '-shared', '-fPIC', '-O1', "-DMARK=\"$directory/hangs\"", '-o', "$directory/hang.so", "$directory/hang.c",
		'-ldl'
	]) or die 'gcc';

my $node = FelderaIngest->init_cluster('hanging_thread');
{
	local $ENV{LD_PRELOAD} = "$directory/hang.so";
	$node->start;
}
FelderaIngest->create_extension($node, 'postgres');
my $json = qq({"name": "hangs", "transport": {"name": "delta_table_input", "config": {"uri": "$table", "mode": "snapshot"}}});
$node->safe_psql('postgres', "CREATE TABLE t (id bigint); SELECT feldera.create_connector('t', '$json')");

# The worker has started, and one of its threads sleeps in the library for ever.
sub hanging_worker
{
	my $pid = FelderaIngest->worker_pid($node, 'postgres', 't.hangs');
	ok(FelderaIngest->poll(sub { -e "$directory/hangs.$pid" }), 'a thread of the worker hangs');
	return $pid;
}

my $pid = hanging_worker();
my $start = time();
$node->safe_psql('postgres', "SELECT feldera.pause_connector('t.hangs')");
ok(FelderaIngest->poll(sub { !kill 0, $pid }), 'a pause ends the worker although its thread hangs');
my $took = time() - $start;
cmp_ok($took, '<', 8, "within $took s");
FelderaIngest->wait_for_state($node, 'postgres', 't.hangs', 'paused');

$node->safe_psql('postgres', "SELECT feldera.start_connector('t.hangs')");
hanging_worker();
$start = time();
$node->stop('fast');
$took = time() - $start;
cmp_ok($took, '<', 10, "a fast shutdown takes $took s");
$node->start;
unlike(FelderaIngest->log_text($node), qr/was not properly shut down|was interrupted/, 'and is a clean one');

FelderaIngest->check_log($node);
$node->stop;
done_testing();
