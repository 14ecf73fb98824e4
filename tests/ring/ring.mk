# SPDX-License-Identifier: MIT
# Tests of the ring: explorer of interleavings with planted bugs, stress, benchmark. Included by the Makefile.
#
#   make test-ring                 explorer and stress
#   make test-ring EXPLORE=full    the explorer for some minutes
#   make bench-ring                cost of a record (libbenchmark-dev)

RING := $(OUT)/tests/ring
RING_EXPLORE_SRC := $(wildcard tests/ring/explore/*.cpp)
RING_STRESS_SRC := $(wildcard tests/ring/stress/*.cpp)
RING_BENCH_SRC := tests/ring/ring_bench.cpp
# Without sanitizers only: they find nothing in an explorer of one thread that they do not find without the mutants.
RING_MUTANTS := $(if $(filter release,$(SAN)),$(patsubst %,$(RING)/mutants/writer_%.o,$(shell tests/ring/mutate writer)) \
	$(patsubst %,$(RING)/mutants/reader_%.o,$(shell tests/ring/mutate reader)))
# The explorer has one thread and takes long under a sanitizer.
EXPLORE ?= $(if $(filter release,$(SAN)),normal,quick)

.PHONY: test-ring bench-ring
tests: $(RING)/explore_tests $(RING)/stress_tests
test: test-ring
test-ring: $(RING)/explore_tests $(RING)/stress_tests
	RING_EXPLORE=$(EXPLORE) $(RING)/explore_tests --log_level=message
	$(RING)/stress_tests --log_level=message
bench-ring: $(RING)/ring_bench
	tests/ring/bench $<

$(call obj,$(RING_EXPLORE_SRC) $(RING_STRESS_SRC)): private CPPFLAGS += -DBOOST_TEST_DYN_LINK
-include $(patsubst %.o,%.d,$(call obj,$(RING_EXPLORE_SRC) $(RING_STRESS_SRC) $(RING_BENCH_SRC)) $(RING_MUTANTS))

$(RING)/explore_tests: $(call obj,$(RING_EXPLORE_SRC)) $(RING_MUTANTS)
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ -lboost_unit_test_framework -o $@
$(RING)/stress_tests: $(call obj,$(RING_STRESS_SRC) lib/ring/ring_reader.cpp)
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ -lboost_unit_test_framework -pthread -o $@
$(RING)/ring_bench: $(call obj,$(RING_BENCH_SRC) lib/ring/ring_reader.cpp)
	@$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ -lbenchmark -pthread -o $@

# A mutant is the code under test with one bug, compiled as that is.
$(RING)/mutants/writer_%.h: kmod/ring_core.h tests/ring/mutants tests/ring/mutate
	@mkdir -p $(@D)
	@tests/ring/mutate writer $* $< >$@
$(RING)/mutants/reader_%.cpp: lib/ring/ring_reader.cpp tests/ring/mutants tests/ring/mutate
	@mkdir -p $(@D)
	@tests/ring/mutate reader $* $< >$@
mutant_flags = $(ALL_CXXFLAGS) -O0 -g0 -w -MMD -MP -DRING_NAME='"$*"'
$(RING)/mutants/writer_%.o: tests/ring/explore/writer_code.cpp $(RING)/mutants/writer_%.h $(OUT)/flags
	@$(call say,CXX,$@)
	$(Q)$(CXX) $(mutant_flags) -DRING_CORE_H='"$(word 2,$^)"' -c $< -o $@
$(RING)/mutants/reader_%.o: tests/ring/explore/reader_code.cpp $(RING)/mutants/reader_%.cpp $(OUT)/flags
	@$(call say,CXX,$@)
	$(Q)$(CXX) $(mutant_flags) -DRING_READER_CPP='"$(word 2,$^)"' -Dhftmon=hftmon_$* -c $< -o $@
