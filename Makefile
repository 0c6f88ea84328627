# SPDX-License-Identifier: MPL-2.0
#
#   make            the programs, in build/bin/
#   make demo       a real microVM from OCI images, in minutes, from nothing
#   make demo-serve the same through the API
#   make check      every test; installs what it needs
#
#   V=1 shows commands; SAN=address,undefined builds into build-san/; CC=clang
#   ARCH=arm64 builds for that one into build-arm64/, from any other; SHARED=1 links no archives

PREFIX ?= /usr/local
VERSION := 0.1.0

CC ?= cc
# Kernels are built with a variable of that name, too.
ifeq ($(origin ARCH),environment)
ARCH :=
endif
B ?= build$(if $(ARCH),-$(ARCH))$(if $(SAN),-san)
OPT ?= -O2
WERROR ?=
PKG_CONFIG ?= pkg-config

# For another architecture: its tools, over the packages that contrib/sysroot.sh unpacks, and what
# runs its programs here. SYSROOT= for a machine that has its packages installed.
CROSS := $(if $(ARCH),$(filter-out $(shell dpkg --print-architecture),$(ARCH)))
ifneq ($(CROSS),)
TRIPLET := $(patsubst arm64-%,aarch64-%,$(ARCH)-linux-gnu)
SYSROOT ?= $(CURDIR)/build/sysroot-$(ARCH)
ifeq ($(wildcard $(if $(SYSROOT),$(SYSROOT)/.key,/) )$(filter deps clean,$(MAKECMDGOALS)),)
$(error $(SYSROOT): the libraries of $(ARCH) are missing; run "make deps ARCH=$(ARCH)")
endif
CC = $(TRIPLET)-gcc $(if $(SYSROOT),--sysroot=$(SYSROOT))
AR = $(TRIPLET)-ar
RUN := qemu-$(firstword $(subst -, ,$(TRIPLET)))-static $(if $(SYSROOT),-L $(SYSROOT))
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
	PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(TRIPLET)/pkgconfig:$(SYSROOT)/usr/share/pkgconfig pkg-config
endif

PROGRAMS := $(notdir $(patsubst %/,%,$(wildcard cmd/*/)))
LIBEXEC := $(filter fl-supervise,$(PROGRAMS))
BINARIES := $(filter-out $(LIBEXEC),$(PROGRAMS))

# Foreign libraries, each with the programs that link it. Those of common have
# their owner there; --as-needed drops them where they are not used.
PKGS_common := jansson libcurl libcrypto nettle libmd yaml-0.1
PKGS_fl-snap := devmapper ext2fs com_err libzstd zlib
PKGS_fl-pack := libzstd zlib
PKGS_fl-serve := libnghttp2 libevent libevent_openssl openssl zlib
PKGS_fl-net := libnl-3.0 libnl-route-3.0 libnftables
PKGS_fl-provision := blkid
HAVE_ISAL := $(shell $(PKG_CONFIG) --exists libisal 2>/dev/null && echo yes)
ifeq ($(HAVE_ISAL),yes)
PKGS_fl-snap += libisal
DEFS_fl-snap := -DFL_HAVE_ISAL
endif
# Programs that run for a millisecond or two spend most of it on loading libraries: small ones
# are linked statically, and so is libarchive, of which only tar is used; the shared one brings
# libxml2, ICU and a dozen more. SHARED=1 for those who must not.
SMALL := jansson md nettle
archive_of = $(if $(SHARED)$(SAN),,$(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)))
linked = $(foreach word,$(1),$(or $(if $(filter $(SMALL:%=-l%),$(word)),$(call archive_of,$(word:-l%=%))),$(word)))
ARCHIVE_A := $(call archive_of,archive)
# A seed is made in less time than libc takes to load, so fl-meta needs no shared library at all:
# all of its own are archives, where they are to be had.
INSTEAD_fl-meta := jansson libmd yaml-0.1
ALONE_fl-meta := $(if $(filter 4,$(words $(foreach lib,c jansson md yaml,$(call archive_of,$(lib))))),yes)
$(B)/bin/fl-meta: PIE := $(if $(ALONE_fl-meta),-static-pie,-pie)
ifneq ($(ARCHIVE_A),)
ARCHIVES_fl-snap := $(ARCHIVE_A)
ARCHIVES_fl-pack := $(ARCHIVE_A) -llzma -lbz2
else
PKGS_fl-snap += libarchive
PKGS_fl-pack += libarchive
endif
pkgs_of = $(or $(INSTEAD_$(1)),$(PKGS_$(1)) $(PKGS_common))

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wwrite-strings -Wno-missing-field-initializers -Wno-format-truncation $(WERROR)
# What newer compilers refuse of themselves.
WARN += -Werror=implicit-function-declaration -Werror=int-conversion
ifneq (,$(findstring clang,$(CC)))
WARN += -Wno-unknown-warning-option -Wno-missing-braces
endif
HARDEN := -fstack-protector-strong -fPIE -fno-plt
PIE := -pie
# What is linked statically is nobody else's: a shared library that uses jansson has its own.
HARDEN_LD = $(PIE) -Wl,-z,relro,-z,now -Wl,--exclude-libs,ALL
ifdef SAN
OPT := -O1 -g -fno-omit-frame-pointer
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=undefined
HARDEN_LD := -fsanitize=$(SAN)
else
HARDEN += -D_FORTIFY_SOURCE=2
endif
CFLAGS ?= $(OPT) -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFL_VERSION='"$(VERSION)"' -I. $(WARN) \
	$(HARDEN) $(CFLAGS) -MMD -MP -pthread
ALL_LDFLAGS = $(HARDEN_LD) -Wl,--gc-sections -Wl,--as-needed -pthread $(LDFLAGS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(2)')

COMMON_SRC := $(sort $(wildcard common/*.c))
COMMON_OBJ := $(COMMON_SRC:%.c=$(B)/obj/%.o)
LIB := $(B)/libcommon.a

# Data that programs read, in the same place relative to them as when installed.
SHARE := $(notdir $(wildcard contrib/share/*))
all: $(BINARIES:%=$(B)/bin/%) $(LIBEXEC:%=$(B)/libexec/flintlock/%) $(SHARE:%=$(B)/share/flintlock/%)

$(B)/share/flintlock/%: contrib/share/%
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(LIB): $(COMMON_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

cflags_of = $(shell $(PKG_CONFIG) --cflags $(call pkgs_of,$(1)) 2>/dev/null)
libs_of = $(ARCHIVES_$(1)) $(call linked,$(shell $(PKG_CONFIG) --libs $(call pkgs_of,$(1))))

COMMON_CFLAGS := $(call cflags_of,common)

$(B)/obj/common/%.o: common/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(COMMON_CFLAGS) -c -o $@ $<

# The API as fl-serve knows it at run time: what protoc makes of the .proto files, as C.
PROTO_DIR := cmd/fl-serve/proto
PROTOS := $(sort $(shell cd $(PROTO_DIR) && find . -name '*.proto' -printf '%P\n'))
$(B)/gen/api.binpb: $(PROTOS:%=$(PROTO_DIR)/%)
	@mkdir -p $(@D)
	$(call say,PROTOC,$@)
	$(Q)protoc -I $(PROTO_DIR) -I /usr/include --include_imports --descriptor_set_out=$@ $(PROTOS)
$(B)/gen/api.c: $(B)/gen/api.binpb
	$(Q){ echo '#include "cmd/fl-serve/wire/api.h"'; echo 'const unsigned char fl_api_bytes[] = {'; \
		od -An -v -tx1 $< | sed 's/ \([0-9a-f]*\)/0x\1,/g'; \
		echo '};'; echo 'const size_t fl_api_size = sizeof(fl_api_bytes);'; } >$@
$(B)/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<
GENERATED_fl-serve := $(B)/gen/api.c

# One set of rules per program; its sources are all of its folder's, sub-folders included.
define program_rules
SRC_$(1) := $$(sort $$(shell find cmd/$(1) -name '*.c'))
OBJ_$(1) := $$(SRC_$(1):%.c=$$(B)/obj/%.o) $$(GENERATED_$(1):$$(B)/%.c=$$(B)/obj/%.o)
CFLAGS_$(1) := $$(call cflags_of,$(1)) $$(DEFS_$(1))
LIBS_$(1) := $$(call libs_of,$(1))
$$(SRC_$(1):%.c=$$(B)/obj/%.o): $$(B)/obj/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(CFLAGS_$(1)) -c -o $$@ $$<
$$(B)/$(2)/$(1): $$(OBJ_$(1)) $$(LIB)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$(OBJ_$(1)) $$(LIB) $$(LIBS_$(1))
DEPS += $$(OBJ_$(1):.o=.d)
endef
$(foreach p,$(BINARIES),$(eval $(call program_rules,$(p),bin)))
$(foreach p,$(LIBEXEC),$(eval $(call program_rules,$(p),libexec/flintlock)))
DEPS += $(COMMON_OBJ:.o=.d)

# Unit tests: t/unit/X.c over the library; t/unit/PROGRAM-X.c also over that program's
# objects without its main. Drivers (t/drivers/PROGRAM-X.c) likewise, for bats to run.
TESTS := $(patsubst t/unit/%.c,%,$(wildcard t/unit/*.c))
DRIVERS := $(patsubst t/drivers/%.c,%,$(wildcard t/drivers/*.c))
program_of = $(firstword $(foreach p,$(PROGRAMS),$(if $(filter $(p)-%,$(1)),$(p))))
objects_of = $(filter-out %/main.o,$(OBJ_$(call program_of,$(1))))
define test_rules
$$(B)/$(2)/$(1): t/$(2)/$(1).c $$(call objects_of,$(1)) $$(LIB)
	@mkdir -p $$(@D)
	$$(call say,TEST,$$@)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(CFLAGS_$$(call program_of,$(1))) $$(COMMON_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$< \
		$$(call objects_of,$(1)) $$(LIB) $$(or $$(LIBS_$$(call program_of,$(1))),$$(call libs_of,common))
DEPS += $$(B)/$(2)/$(1).d
endef
$(foreach t,$(TESTS),$(eval $(call test_rules,$(t),unit)))
$(foreach t,$(DRIVERS),$(eval $(call test_rules,$(t),drivers)))


# Fuzz targets likewise: over the kept corpus in "make check", with FUZZ=1 as libFuzzer's.
FUZZERS := $(filter-out replay,$(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/*.c)))
define fuzz_rules
$$(B)/fuzz/$(1): t/fuzz/$(1).c $$(if $$(FUZZ),,t/fuzz/replay.c) $$(call objects_of,$(1)) $$(LIB)
	@mkdir -p $$(@D)
	$$(call say,FUZZ,$$@)
	$$(Q)$$(CC) $$(filter-out -MMD -MP,$$(ALL_CFLAGS)) $$(CFLAGS_$$(call program_of,$(1))) \
		$$(COMMON_CFLAGS) $$(ALL_LDFLAGS) $$(if $$(FUZZ),-fsanitize=fuzzer) -o $$@ \
		$$(filter %.c,$$^) $$(call objects_of,$(1)) $$(LIB) \
		$$(or $$(LIBS_$$(call program_of,$(1))),$$(call libs_of,common))
endef
$(foreach t,$(FUZZERS),$(eval $(call fuzz_rules,$(t))))
fuzzers: $(FUZZERS:%=$(B)/fuzz/%)

# What tests preload to kill a program at a call of libc wants a shared one.
$(B)/killable/fl-meta: $(OBJ_fl-meta) $(LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_fl-meta)

EXECUTABLES := killable/fl-meta $(BINARIES:%=bin/%) $(LIBEXEC:%=libexec/flintlock/%) $(FUZZERS:%=fuzz/%) \
	$(TESTS:%=unit/%) $(DRIVERS:%=drivers/%)
tests: all $(EXECUTABLES:%=$(B)/%) $(if $(CROSS),$(EXECUTABLES:%=$(B)/emulated/%))

# Each program of the other architecture under its name, as one of this machine's; it finds the
# others beside itself.
$(B)/emulated/%: $(B)/%
	@mkdir -p $(@D) && ln -sfn ../share $(B)/emulated/share && ln -f $< $(@D)/.$(@F).elf
	$(Q)printf '#!/bin/sh\nexec %s -0 "$$0" %s "$$@"\n' '$(RUN)' '$(abspath $(@D))/.$(@F).elf' >$@ && chmod +x $@

# Man pages, from scdoc; readable without UTF-8, too.
MAN := $(patsubst man/%.scd,$(B)/man/%,$(wildcard man/*.scd))
man: $(MAN)
$(B)/man/%: man/%.scd
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)scdoc < $< | sed 's/…/\\\&.../g' > $@.new && mv $@.new $@

deps:
	@contrib/deps.sh packages.list
	@$(if $(CROSS),contrib/deps.sh packages-$(ARCH).list && contrib/sysroot.sh $(ARCH) $(SYSROOT))

demo:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 all
	@t/demo.sh $(B)

demo-serve:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 all
	@t/demo-serve.sh $(B)

check:
	@contrib/deps.sh packages.list
	@contrib/tools.sh prometheus build/tools
	@t/check.sh

# The service under load and kills for ten minutes; many random images; power cut often; thirty
# microVMs in many hands.
check-long:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 tests
	@t/images.sh $(B) >/dev/null
	@FL_BUILD=$(abspath $(B)) t/fl-run/heavy.sh 300 30
	@t/fl-serve/long.sh $(or $(SECONDS),600)
	@FL_BUILD=$(abspath $(B)) FL_RANDOM_IMAGES=100 bats --tap t/fl-snap/random.bats
	@FL_BUILD=$(abspath $(B)) FL_POWER_ROUNDS=12 t/lab/run -m 3072 -t 1200 bats --tap t/lab/power.bats </dev/null

# On a real kernel, with the VMMs that are here: FL_FIRECRACKER, FL_CLOUDHYPERVISOR or PATH; FL_JAILER
# with FL_FIRECRACKER_STATIC where the other is linked dynamically.
check-lab:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 tests
	@t/images.sh $(B) >/dev/null
	@t/lab/run -m 4096 -t 4800 bats --tap t/lab/*.bats </dev/null
	@t/lab/run -m 4096 -d 2048 t/lab/reboot </dev/null
	@t/lab/run -m 4096 -d 2048 -s 3072 t/lab/provision devpool </dev/null
	@t/lab/run -m 4096 -d 2048 -s 3072 t/lab/provision direct_lvm </dev/null
	@contrib/deb.sh $(B)/deb >/dev/null
	@t/lab/run -m 4096 t/lab/package $(B)/deb </dev/null
	@$(MAKE) --no-print-directory -j2 B=build-san SAN=address,undefined tests
	@FL_BUILD=$(abspath build-san) t/lab/run -m 8192 -t 2400 env ASAN_OPTIONS=detect_leaks=1:exitcode=99 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 bats --tap t/lab/thin.bats t/lab/devices.bats </dev/null

# A whole guest of arm64, emulated where the machine is another.
check-arm64:
	@contrib/deps.sh packages.list && contrib/deps.sh packages-arm64.list
	@$(MAKE) --no-print-directory -j2 tests
	@FL_BUILD=$(abspath $(B)) bats --tap t/arm64/*.bats

# SECONDS per target; hours are better.
check-fuzz:
	@contrib/deps.sh packages.list
	@t/fuzz/run.sh $(or $(SECONDS),60)

# Debian packages, in build/deb (ARCH=arm64: build-arm64/deb); check-deb looks at them and installs them into a root of their own.
deb:
	@contrib/deps.sh packages.list
	@contrib/deb.sh $(B)/deb $(if $(CROSS),$(ARCH) $(SYSROOT))

check-deb:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 tests
	@FL_CHECK_DEB=1 bats --tap t/contrib/deb.bats

# The images of images/, and a node of Kubernetes made of them: some minutes.
check-images:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 tests
	@FL_CHECK_IMAGES=1 FL_BUILD=$(abspath $(B)) bats --tap t/images/images.bats

lint:
	@t/lint.sh

bench: all tests
	@bench/starts.sh $(B)
	@bench/life.sh $(B)
	@bench/images.sh $(B)
	@bench/serve.sh $(B)

# fl-run and thin disks over the same by hand; the VMMs as for check-lab.
bench-lab:
	@contrib/deps.sh packages.list
	@$(MAKE) --no-print-directory -j2 tests
	@t/images.sh $(B) >/dev/null
	@bench/lab.sh $(B)

UNITS := $(notdir $(wildcard contrib/systemd/*))
EXAMPLES := prometheus/scrape.yml prometheus/alerts.yml grafana/flintlock.json
# Where bash, zsh and fish look.
COMPLETIONS := bash-completion/completions zsh/vendor-completions fish/vendor_completions.d
install: all man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/flintlock
	install -m 755 $(BINARIES:%=$(B)/bin/%) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(LIBEXEC:%=$(B)/libexec/flintlock/%) $(DESTDIR)$(PREFIX)/libexec/flintlock
	for page in $(MAN); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	for proto in $(PROTOS); do \
		install -D -m 644 $(PROTO_DIR)/$$proto $(DESTDIR)$(PREFIX)/share/flintlock/proto/$$proto || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/share/flintlock
	install -m 644 $(SHARE:%=$(B)/share/flintlock/%) $(DESTDIR)$(PREFIX)/share/flintlock
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in $(UNITS); do \
		sed 's|/usr/bin/|$(PREFIX)/bin/|' contrib/systemd/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit 1; \
	done
	install -D -m 644 contrib/sysusers/flintlock.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/flintlock.conf
	install -D -m 644 contrib/tmpfiles/flintlock.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/flintlock.conf
	for example in $(EXAMPLES); do \
		install -D -m 644 contrib/$$example $(DESTDIR)$(PREFIX)/share/flintlock/examples/$$example || exit 1; \
	done
	install -d $(COMPLETIONS:%=$(DESTDIR)$(PREFIX)/share/%)
	for p in $(BINARIES); do \
		$(RUN) $(B)/bin/$$p --completion bash > $(DESTDIR)$(PREFIX)/share/$(word 1,$(COMPLETIONS))/$$p && \
		$(RUN) $(B)/bin/$$p --completion zsh > $(DESTDIR)$(PREFIX)/share/$(word 2,$(COMPLETIONS))/_$$p && \
		$(RUN) $(B)/bin/$$p --completion fish > $(DESTDIR)$(PREFIX)/share/$(word 3,$(COMPLETIONS))/$$p.fish || exit 1; \
	done
	cp -R images $(DESTDIR)$(PREFIX)/share/flintlock/images

uninstall:
	rm -f $(BINARIES:%=$(DESTDIR)$(PREFIX)/bin/%) $(LIBEXEC:%=$(DESTDIR)$(PREFIX)/libexec/flintlock/%)
	for page in $(notdir $(MAN)); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; done
	rm -rf $(DESTDIR)$(PREFIX)/share/flintlock
	rm -f $(UNITS:%=$(DESTDIR)$(PREFIX)/lib/systemd/system/%)
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/flintlock.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/flintlock.conf
	rm -f $(BINARIES:%=$(DESTDIR)$(PREFIX)/share/$(word 1,$(COMPLETIONS))/%)
	rm -f $(BINARIES:%=$(DESTDIR)$(PREFIX)/share/$(word 2,$(COMPLETIONS))/_%)
	rm -f $(BINARIES:%=$(DESTDIR)$(PREFIX)/share/$(word 3,$(COMPLETIONS))/%.fish)

clean:
	rm -rf build build-*

-include $(wildcard $(DEPS))
.PHONY: all fuzzers check-arm64 check-fuzz check-lab check-long tests man deps demo demo-serve check deb check-deb check-images lint bench bench-lab install uninstall clean
.DELETE_ON_ERROR:
