// SPDX-License-Identifier: MIT
/// Errors as values. No function of this library throws across its interface;
/// one that can fail returns Result<T>.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace hftmon {

/// What kind of failure it was; decides nothing but lets a caller branch.
enum class ErrorCode {
    kInvalidArgument,  ///< the caller asked for something that cannot be
    kNotFound,         ///< a file, device, process or CPU does not exist
    kNoPermission,     ///< rights are missing
    kUnsupported,      ///< this kernel, module or machine cannot do it
    kVersionMismatch,  ///< module, library or file speak different versions
    kCorrupt,          ///< a file or a ring holds what cannot be true
    kBusy,             ///< the state of the session does not allow it now
    kSystem,           ///< a system call failed; sys_errno says how
};

/// A failure that a user can act on.
struct [[nodiscard]] Error {
    ErrorCode code = ErrorCode::kSystem;
    int sys_errno = 0;  ///< errno of the failed call, 0 if none was made
    std::string what;   ///< what was attempted and what went wrong
    std::string hint;   ///< what the user can do; may be empty

    /// "what: strerror (hint)", one line.
    [[nodiscard]] std::string message() const;
};

/// A value or an Error. Check with has_value() or operator bool before
/// dereferencing; dereferencing the wrong one throws std::bad_variant_access,
/// which is a bug of the caller.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] T& operator*() & { return value(); }
    [[nodiscard]] const T& operator*() const& { return value(); }
    [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
    [[nodiscard]] T* operator->() { return &value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }

    [[nodiscard]] Error& error() & { return std::get<1>(state_); }
    [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
using Status = Result<std::monostate>;

[[nodiscard]] inline Status ok() { return Status(std::monostate{}); }

}  // namespace hftmon
