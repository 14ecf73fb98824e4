# SPDX-License-Identifier: MIT
#
# make                   library, hftctl and (with kernel headers) the module
# make test              build and run all tests that need no kernel module
# make test SAN=asan     the same under AddressSanitizer + UBSan (or SAN=tsan)
# make CXX=clang++       another compiler; objects are rebuilt when it changes
# make module KDIR=...   the kernel module alone, for other kernel headers
# make install           DESTDIR=, PREFIX= (default /usr/local)
# make V=1               show the commands
# make help              all targets
#
# Everything that is built lies under build/: user/release, user/asan ...

VERSION := 0.1.0
SOVERSION := 0

CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
SAN ?= release
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
KDIR ?= /lib/modules/$(shell uname -r)/build

# Commands are shown with V=1, else one short line each.
Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-4s %s\n' $(1) $(2))

# What the library itself is linked with; hftmon.pc says the same.
LIB_NEEDS := -lfmt -ldw -lelf

OUT := build/user/$(SAN)

SANFLAGS_release :=
SANFLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SANFLAGS_tsan := -fsanitize=thread
SANFLAGS_fuzzer := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
$(if $(filter undefined,$(origin SANFLAGS_$(SAN))),$(error SAN=$(SAN): use release, asan, tsan or fuzzer))

CXXFLAGS ?= -O2 -g
ALL_CXXFLAGS = -std=c++20 $(CXXFLAGS) -fPIC -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Werror -Iinclude -I. -DHFTMON_VERSION='"$(VERSION)"' $(SANFLAGS_$(SAN)) $(CPPFLAGS)
ALL_LDFLAGS = $(SANFLAGS_$(SAN)) -Wl,--as-needed $(LDFLAGS)

# Which sources make which binary: folders, not lists.
LIB_SRC := $(wildcard lib/*/*.cpp)
TOOL_SRC := $(wildcard tools/hftctl/*.cpp tools/hftctl/*/*.cpp)
UNIT_SRC := $(wildcard tests/unit/*.cpp)
PLANT_SRC := $(wildcard tests/plant/*.cpp)
GUEST_SRC := $(wildcard tests/guest/*.cpp tests/guest/*/*.cpp)
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.cpp)
obj = $(patsubst %.cpp,$(OUT)/%.o,$(1))

LIB := $(OUT)/libhftmon.a $(OUT)/libhftmon.so.$(SOVERSION)
HFTCTL := $(if $(TOOL_SRC),$(OUT)/hftctl)
UNIT := $(if $(UNIT_SRC),$(OUT)/unit_tests)
PLANT := $(if $(PLANT_SRC),$(OUT)/plant)
# One program from each tests/guest/NAME.cpp, and from all of each folder tests/guest/NAME/.
GUEST_DIR := $(patsubst %/,%,$(sort $(dir $(wildcard tests/guest/*/*.cpp))))
GUEST := $(patsubst tests/guest/%,$(OUT)/guest/%,$(basename $(wildcard tests/guest/*.cpp)) $(GUEST_DIR))
FUZZ := $(patsubst tests/fuzz/%.cpp,$(OUT)/%,$(FUZZ_SRC))

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all lib tools module tests guest-programs test test-unit test-abi test-fuzz check-layers check demo dkms-install install \
	lint format clean help FORCE
all: lib tools module-if-possible
lib: $(LIB)
tools: $(HFTCTL)
tests: $(UNIT) $(PLANT) $(FUZZ) $(GUEST)
guest-programs: $(GUEST) $(PLANT)

help:
	@sed -n '3,12s/^# \{0,1\}//p' Makefile
	@echo 'targets: all lib tools module tests test test-unit test-abi test-fuzz check-layers lint format install clean'

# ---- compiling -------------------------------------------------------------

# Changes when the compiler or its flags do, and then everything is rebuilt.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CXX) $(ALL_CXXFLAGS)' | cmp -s - $@ || echo '$(CXX) $(ALL_CXXFLAGS)' >$@

# Headers that Debian does not install by itself, and the packages with them.
NEEDS := nlohmann/json.hpp:nlohmann-json3-dev fmt/format.h:libfmt-dev CLI/CLI.hpp:libcli11-dev elfutils/libdwfl.h:libdw-dev
NEEDS_OF_TESTS := boost/test/unit_test.hpp:libboost-test-dev boost/context/fiber.hpp:libboost-context-dev
need_headers = for need in $(1); do \
		echo "\#include <$${need%%:*}>" | $(CXX) -std=c++20 $(CPPFLAGS) -M -xc++ - >/dev/null 2>&1 || \
			{ echo "missing <$${need%%:*}>: apt install $${need\#*:}" >&2; bad=1; }; \
	done; test -z "$$bad"
$(OUT)/needs: $(OUT)/flags
	@command -v $(firstword $(CXX)) >/dev/null || { echo 'no compiler "$(CXX)": apt install g++' >&2; exit 1; }
	@$(call need_headers,$(NEEDS))
	@touch $@
$(OUT)/needs-of-tests: $(OUT)/needs
	@$(call need_headers,$(NEEDS_OF_TESTS))
	@touch $@
$(OUT)/tests/unit/%.o $(OUT)/tests/ring/%.o: | $(OUT)/needs-of-tests

$(OUT)/%.o: %.cpp $(OUT)/flags | $(OUT)/needs
	@mkdir -p $(@D)
	@$(call say,CXX,$<)
	$(Q)$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c $< -o $@

-include $(patsubst %.o,%.d,$(call obj,$(LIB_SRC) $(TOOL_SRC) $(UNIT_SRC) $(PLANT_SRC) $(GUEST_SRC) $(wildcard tests/fuzz/*.cpp)))

# ---- linking ---------------------------------------------------------------

$(OUT)/libhftmon.a: $(call obj,$(LIB_SRC))
	@rm -f $@
	@$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(OUT)/libhftmon.so.$(SOVERSION): $(call obj,$(LIB_SRC))
	@$(call say,LD,$@)
	$(Q)$(CXX) -shared -Wl,-soname,$(@F) $(ALL_LDFLAGS) $^ $(LIB_NEEDS) -o $@
	@ln -sf $(@F) $(OUT)/libhftmon.so

$(OUT)/hftctl: $(call obj,$(TOOL_SRC)) $(OUT)/libhftmon.a
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ $(LIB_NEEDS) -pthread -o $@

$(OUT)/unit_tests: $(call obj,$(UNIT_SRC)) $(OUT)/libhftmon.a
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ -lboost_unit_test_framework $(LIB_NEEDS) -pthread -o $@
$(call obj,$(UNIT_SRC)): private CPPFLAGS += -DBOOST_TEST_DYN_LINK

# What the tests of symbols ask about: always the same code, and a build id that they know.
TEST_SYMBOLS := $(OUT)/tests/unit/symbols
$(TEST_SYMBOLS)/libinlined.so: tests/unit/symbols/inlined.cpp Makefile
	@mkdir -p $(@D)
	@$(call say,CXX,$@)
	$(Q)$(CXX) -std=c++20 -O2 -g -fPIC -shared -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567 $< -o $@
$(UNIT): | $(TEST_SYMBOLS)/libinlined.so
$(OUT)/tests/unit/program_symbols_test.o: private CPPFLAGS += -DHFTMON_TEST_SYMBOLS='"$(abspath $(TEST_SYMBOLS))"'

$(OUT)/plant: $(call obj,$(PLANT_SRC)) $(OUT)/libhftmon.a
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ $(LIB_NEEDS) -pthread -o $@

.SECONDEXPANSION:
$(GUEST): $(OUT)/guest/%: $$(call obj,$$(wildcard tests/guest/$$*.cpp tests/guest/$$*/*.cpp)) $(OUT)/libhftmon.a
	@mkdir -p $(@D)
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ $(LIB_NEEDS) -pthread -o $@

# What recording an event costs in the kernel, beside others (scripts/bench-kernel).
.PHONY: kernel-bench bench-kernel
bench-kernel:
	scripts/bench-kernel
kernel-bench: $(OUT)/kernel_bench $(OUT)/ringbuf.bpf.o
$(OUT)/kernel_bench: $(call obj,$(wildcard tests/bench/kernel/*.cpp)) $(OUT)/libhftmon.a
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ -lbpf $(LIB_NEEDS) -o $@
$(OUT)/ringbuf.bpf.o: tests/bench/kernel/ringbuf.bpf.c
	@mkdir -p $(@D)
	@$(call say,BPF,$@)
	$(Q)clang -O2 -g -Wall -Werror -target bpf -D__TARGET_ARCH_x86 -I/usr/include/$(shell $(CC) -print-multiarch) -c $< -o $@

# With SAN=fuzzer (clang) libFuzzer's main, else the deterministic driver.
FUZZ_MAIN := $(if $(filter fuzzer,$(SAN)),-fsanitize=fuzzer,$(OUT)/tests/fuzz/driver.o $(OUT)/tests/fuzz/seeds.o)
$(OUT)/%_fuzz: $(OUT)/tests/fuzz/%_fuzz.o $(OUT)/libhftmon.a $(filter %.o,$(FUZZ_MAIN))
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $(filter-out %.a,$^) $(filter %.a,$^) $(filter -f%,$(FUZZ_MAIN)) $(LIB_NEEDS) -o $@

# ---- kernel module ---------------------------------------------------------

module:
	@test -e $(KDIR)/Makefile || { echo 'no kernel headers at $(KDIR): apt install linux-headers-$(shell uname -r), or say KDIR=' >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR)/kmod modules

# As root, on the machine that is to be measured. Repeating it replaces the version that is there.
DKMS_SRC := /usr/src/hftmon-$(VERSION)
dkms-install:
	@command -v dkms >/dev/null || { echo 'dkms is not installed: apt install dkms' >&2; exit 1; }
	-dkms remove hftmon/$(VERSION) --all >/dev/null 2>&1
	$(MAKE) dkms-source
	dkms install hftmon/$(VERSION)
	$(MAKE) install-rights DESTDIR=
	systemd-sysusers hftmon.conf || groupadd --force --system hftmon
	-udevadm control --reload 2>/dev/null

# Who may open the device: a udev rule and its group.
.PHONY: install-rights
install-rights:
	install -d $(DESTDIR)/usr/lib/udev/rules.d $(DESTDIR)/usr/lib/sysusers.d
	install -m 644 scripts/system/60-hftmon.rules $(DESTDIR)/usr/lib/udev/rules.d
	install -m 644 scripts/system/hftmon.conf $(DESTDIR)/usr/lib/sysusers.d

# What DKMS builds from, and nothing else.
.PHONY: dkms-source
dkms-source:
	rm -rf $(DKMS_SRC)
	install -d $(DKMS_SRC)/include/hftmon
	cp -r dkms.conf LICENSE LICENSES kmod $(DKMS_SRC)
	cp -r include/hftmon/abi $(DKMS_SRC)/include/hftmon

# For a plain `make`: a machine that only reads captures needs no headers.
.PHONY: module-if-possible
module-if-possible: $(if $(and $(wildcard $(KDIR)/Makefile),$(wildcard kmod/Kbuild)),module)
	@$(if $^,:,echo 'note: the kernel module was not built: no kernel headers at $(KDIR) (apt install linux-headers-$(shell uname -r))')

# ---- tests and checks ------------------------------------------------------

FUZZ_RUNS ?= 20000
test: test-unit test-fuzz test-abi check-layers
test-unit: $(UNIT)
	$(if $(UNIT),$(UNIT) $(UNIT_ARGS),@echo 'no unit tests')
test-fuzz: $(FUZZ)
	@set -e; for fuzz in $(FUZZ); do $$fuzz $(if $(filter fuzzer,$(SAN)),-runs=$(FUZZ_RUNS),--runs $(FUZZ_RUNS)); done
test-abi:
	tests/abi/check
check-layers:
	scripts/check-layers

check demo:
	scripts/$@

lint:
	scripts/lint
format:
	clang-format -i $(shell git ls-files -co --exclude-standard '*.cpp' '*.hpp' '*.ipp')

include tests/ring/ring.mk

# ---- installing ------------------------------------------------------------

install: lib tools
	install -d $(DESTDIR)$(PREFIX)/include/hftmon/abi $(DESTDIR)$(PREFIX)/include/hftmon/detail
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/hftmon/*.hpp $(DESTDIR)$(PREFIX)/include/hftmon
	install -m 644 include/hftmon/abi/*.h $(DESTDIR)$(PREFIX)/include/hftmon/abi
	install -m 644 include/hftmon/detail/*.ipp $(DESTDIR)$(PREFIX)/include/hftmon/detail
	install -m 644 $(OUT)/libhftmon.a $(DESTDIR)$(LIBDIR)
	install -m 755 $(OUT)/libhftmon.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)
	ln -sf libhftmon.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libhftmon.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' lib/hftmon.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/hftmon.pc
	$(if $(HFTCTL),install -s -m 755 $(HFTCTL) $(DESTDIR)$(PREFIX)/bin)

clean:
	rm -rf build
	@if test -e $(KDIR)/Makefile; then $(MAKE) -C $(KDIR) M=$(CURDIR)/kmod clean; fi
