// SPDX-License-Identifier: MIT
// What program_symbols_test.cpp asks about: calls that the compiler inlines, and names that it mangles.
namespace book {

struct Order {
    int price, size;
};

volatile int sink;

template <class T>
[[gnu::always_inline]] inline T weigh(T a, T b) {
    sink = static_cast<int>(a);
    return a * b + 1;
}

[[gnu::always_inline]] inline int value(const Order& order) {
    sink = order.size;
    return weigh(order.price, order.size);
}

class Side {
public:
    [[gnu::noipa]] int match(const Order& order) const {
        sink = 1;
        const int worth = value(order);
        sink = 2;
        return worth + depth_;
    }

private:
    int depth_ = 3;
};

}  // namespace book

extern "C" [[gnu::noipa]] int plain_c(int x) {
    book::sink = x;
    return book::weigh<long>(x, 2) > 5 ? 1 : 0;
}

/// Read as a mangled name it would be a float.
extern "C" [[gnu::noipa]] int f(int x) { return x + book::sink; }

int run(const book::Order& order) { return book::Side().match(order) + plain_c(order.size) + f(1); }
