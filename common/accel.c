/* SPDX-License-Identifier: MPL-2.0 */
#include "common/accel.h"

#include <string.h>

int fl_accel_check(const char *accel, struct fl_err *err)
{
	if (strcmp(accel, "auto") == 0 || strcmp(accel, "kvm") == 0 || strcmp(accel, "tcg") == 0)
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "option --accel: \"%s\" is not auto, kvm or tcg", accel);
}

#ifdef __x86_64__

#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define PAGE 4096
/* A processor takes some microseconds for the loop, who emulates it 8 ms or more. */
#define BOUND_NS 1500000LL
#define MOST_TRIES 3

/* mov ecx,20000; dec ecx; jnz back; hlt, in real mode. */
static const unsigned char loop[] = { 0x66, 0xb9, 0x20, 0x4e, 0, 0, 0x66, 0x49, 0x75, 0xfc, 0xf4 };

static long long read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool set_registers(int cpu)
{
	struct kvm_sregs special;
	struct kvm_regs regs = { .rflags = 2 };

	if (ioctl(cpu, KVM_GET_SREGS, &special) < 0)
		return false;
	special.cs.base = special.cs.selector = 0;
	return ioctl(cpu, KVM_SET_SREGS, &special) == 0 && ioctl(cpu, KVM_SET_REGS, &regs) == 0;
}

/* How long the loop takes, in nanoseconds of this thread, whoever else is at work; -1 when it cannot
 * be run. */
static long long run_loop(int cpu, size_t size)
{
	struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	long long start = read_ns(CLOCK_THREAD_CPUTIME_ID), took = -1;

	if (run == MAP_FAILED)
		return -1;
	if (ioctl(cpu, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_HLT)
		took = read_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	munmap(run, size);
	return took;
}

static long long time_loop(int kvm, void *page)
{
	fl_cleanup_close int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_userspace_memory_region region = {
		.memory_size = PAGE, .userspace_addr = (unsigned long)page
	};
	fl_cleanup_close int cpu = -1;
	int size;

	memcpy(page, loop, sizeof(loop));
	if (vm < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -1;
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (cpu < 0 || size < 0 || !set_registers(cpu))
		return -1;
	return run_loop(cpu, (size_t)size);
}

bool fl_accel_kvm_works(const char **why)
{
	fl_cleanup_close int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	void *page;
	long long took;

	*why = errno == EACCES ? "/dev/kvm may not be opened" : "there is no /dev/kvm";
	if (kvm < 0)
		return false;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	took = page == MAP_FAILED ? -1 : time_loop(kvm, page);
	/* In a virtual machine time may be counted that others took. */
	for (int tries = 1; tries < MOST_TRIES && took > BOUND_NS; tries++)
		took = time_loop(kvm, page);
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	*why = took < 0          ? "/dev/kvm cannot run a guest"
	       : took > BOUND_NS ? "/dev/kvm emulates every instruction"
				 : "/dev/kvm works";
	return took >= 0 && took <= BOUND_NS;
}

struct moment {
	long long ns;
	unsigned long long ticks;
};

/* Both clocks at once: the reading that was interrupted least. */
static struct moment read_clocks(void)
{
	struct moment best = { 0, 0 };
	unsigned long long least = ~0ULL;

	for (int i = 0; i < 8; i++) {
		unsigned long long before = __rdtsc();
		long long ns = read_ns(CLOCK_MONOTONIC);
		unsigned long long took = __rdtsc() - before;

		if (took >= least)
			continue;
		least = took;
		best = (struct moment){ ns, before + took / 2 };
	}
	return best;
}

/* A reading is right to some tens of nanoseconds: after two milliseconds, to 0.01 %. */
unsigned fl_accel_tsc_khz(void)
{
	struct moment start = read_clocks(), end;

	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	end = read_clocks();
	return (unsigned)((end.ticks - start.ticks) * 1000000 /
			  (unsigned long long)(end.ns - start.ns));
}

#else

#include <errno.h>
#include <unistd.h>

bool fl_accel_kvm_works(const char **why)
{
	bool usable = access("/dev/kvm", R_OK | W_OK) == 0;

	*why = usable            ? "/dev/kvm works"
	       : errno == EACCES ? "/dev/kvm may not be opened"
				 : "there is no /dev/kvm";
	return usable;
}

unsigned fl_accel_tsc_khz(void)
{
	return 0;
}

#endif
