// SPDX-License-Identifier: MIT
#include "lib/capture/meta.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "lib/capture/format.hpp"

namespace hftmon::capture {

namespace {

using Json = nlohmann::json;

/// An unsigned integer that fits T. nlohmann's own conversion would truncate.
template <class T>
void get_unsigned(const Json& object, const char* key, T& out) {
    const auto found = object.find(key);
    if (found == object.end()) return;
    if (!found->is_number_unsigned()) throw std::out_of_range(key);
    const auto value = found->get<std::uint64_t>();
    if (value > std::numeric_limits<T>::max()) throw std::out_of_range(key);
    out = static_cast<T>(value);
}

void get_nanoseconds(const Json& object, const char* key, Nanoseconds& out) {
    std::uint64_t value = 0;
    get_unsigned(object, key, value);
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) throw std::out_of_range(key);
    out = Nanoseconds(static_cast<std::int64_t>(value));
}

void get_string(const Json& object, const char* key, std::string& out) {
    if (const auto found = object.find(key); found != object.end()) found->get_to(out);
}

void get_bool(const Json& object, const char* key, bool& out) {
    if (const auto found = object.find(key); found != object.end()) found->get_to(out);
}

template <class Id>
void get_ids(const Json& object, const char* key, std::vector<Id>& out) {
    const auto found = object.find(key);
    if (found == object.end()) return;
    if (!found->is_array()) throw std::out_of_range(key);
    for (const Json& item : *found) {
        if (!item.is_number_unsigned() || item.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
            throw std::out_of_range(key);
        out.push_back(Id{item.get<std::uint32_t>()});
    }
}

template <class Id>
Json ids_to_json(const std::vector<Id>& ids) {
    Json array = Json::array();
    for (const Id id : ids) array.push_back(id.value);
    return array;
}

CaptureSource source_from_json(const Json& object) {
    if (!object.is_object()) throw std::out_of_range("sources");
    CaptureSource source;
    get_unsigned(object, "id", source.id);
    get_string(object, "name", source.name);
    get_unsigned(object, "state", source.state);
    get_unsigned(object, "error", source.error);
    get_bool(object, "active", source.active);
    return source;
}

/// A kind that this library does not know has no events that it would.
void get_minimums(const Json& object, std::vector<DurationThreshold>& out) {
    const auto found = object.find("minimums");
    if (found == object.end()) return;
    if (!found->is_object()) throw std::out_of_range("minimums");
    for (std::uint32_t i = 0; i < kDurationKinds; ++i) {
        const auto kind = static_cast<DurationKind>(i);
        const std::string name(duration_name(kind));
        if (!found->contains(name)) continue;
        Nanoseconds over{};
        get_nanoseconds(*found, name.c_str(), over);
        out.push_back({kind, over});
    }
}

CaptureMeta from_object(const Json& object) {
    CaptureMeta meta;
    get_string(object, "hostname", meta.hostname);
    get_string(object, "kernel_release", meta.kernel_release);
    get_string(object, "machine", meta.machine);
    get_string(object, "backend", meta.backend);
    get_unsigned(object, "abi_version", meta.abi_version);
    get_unsigned(object, "schema_version", meta.schema_version);
    get_unsigned(object, "clock", meta.clock);
    get_unsigned(object, "tsc_khz", meta.tsc_khz);
    get_bool(object, "tsc_invariant", meta.tsc_invariant);
    get_unsigned(object, "ring_mode", meta.ring_mode);
    get_unsigned(object, "ring_records", meta.ring_records);
    get_unsigned(object, "online_cpus", meta.online_cpus);
    get_ids(object, "cpus", meta.cpus);
    get_ids(object, "partial_cpus", meta.partial_cpus);
    get_ids(object, "subjects", meta.subjects);
    get_minimums(object, meta.minimums);
    get_nanoseconds(object, "start_realtime_ns", meta.start_realtime);
    get_nanoseconds(object, "end_realtime_ns", meta.end_realtime);
    if (const auto found = object.find("command_line"); found != object.end()) found->get_to(meta.command_line);
    if (const auto found = object.find("sources"); found != object.end()) {
        if (!found->is_array()) throw std::out_of_range("sources");
        for (const Json& item : *found) meta.sources.push_back(source_from_json(item));
    }
    return meta;
}

Error corrupt(std::string what) {
    return {ErrorCode::kCorrupt, 0, "capture description: " + std::move(what), "the file is damaged"};
}

}  // namespace

const char* meta_problem(const CaptureMeta& meta) noexcept {
    if (meta.tsc_khz == 0 || meta.tsc_khz > format::kMaxTscKhz) return "tsc_khz is not in 1 .. 10^9";
    if (meta.clock > HFTMON_CLOCK_MONO) return "the clock is of no known kind";
    if (meta.ring_mode > HFTMON_MODE_FLIGHT) return "the ring mode is of no known kind";
    if (meta.start_realtime.count() < 0 || meta.end_realtime.count() < 0) return "a time lies before 1970";
    return nullptr;
}

std::string meta_to_json(const CaptureMeta& meta) {
    Json sources = Json::array();
    for (const CaptureSource& source : meta.sources) {
        sources.push_back({{"id", source.id},
                           {"name", source.name},
                           {"state", source.state},
                           {"error", source.error},
                           {"active", source.active}});
    }
    Json minimums = Json::object();
    for (const DurationThreshold& minimum : meta.minimums)
        minimums[std::string(duration_name(minimum.kind))] = static_cast<std::uint64_t>(minimum.over.count());
    const Json object = {{"hostname", meta.hostname},
                         {"kernel_release", meta.kernel_release},
                         {"machine", meta.machine},
                         {"backend", meta.backend},
                         {"abi_version", meta.abi_version},
                         {"schema_version", meta.schema_version},
                         {"clock", meta.clock},
                         {"tsc_khz", meta.tsc_khz},
                         {"tsc_invariant", meta.tsc_invariant},
                         {"ring_mode", meta.ring_mode},
                         {"ring_records", meta.ring_records},
                         {"online_cpus", meta.online_cpus},
                         {"cpus", ids_to_json(meta.cpus)},
                         {"partial_cpus", ids_to_json(meta.partial_cpus)},
                         {"sources", std::move(sources)},
                         {"minimums", std::move(minimums)},
                         {"subjects", ids_to_json(meta.subjects)},
                         {"command_line", meta.command_line},
                         {"start_realtime_ns", static_cast<std::uint64_t>(meta.start_realtime.count())},
                         {"end_realtime_ns", static_cast<std::uint64_t>(meta.end_realtime.count())}};
    return object.dump(1, ' ', false, Json::error_handler_t::replace);
}

Result<CaptureMeta> meta_from_json(std::string_view text) {
    const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return corrupt("no JSON object");
    // nlohmann reports a field of the wrong type by an exception: it ends here.
    try {
        CaptureMeta meta = from_object(object);
        if (const char* problem = meta_problem(meta)) return corrupt(problem);
        return meta;
    } catch (const Json::exception& wrong) {
        return corrupt(wrong.what());
    } catch (const std::out_of_range& field) {
        return corrupt(std::string(field.what()) + " has a value that it cannot have");
    }
}

}  // namespace hftmon::capture
