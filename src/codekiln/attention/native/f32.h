// float32 on any processor, in the compiler's vectors (GCC and Clang).

#pragma once

#include "numbers.h"

namespace {

struct F32 {
  using Element = float;
  using Word = float;
#if defined(__AVX512F__)
  static constexpr int LANES = 16, PER_ROW = 4, ROWS = 6;   // sums of a row; 32 registers
#elif defined(__AVX__)
  static constexpr int LANES = 8, PER_ROW = 2, ROWS = 6;    // 16 registers
#else
  static constexpr int LANES = 4, PER_ROW = 2, ROWS = 6;
#endif
  static constexpr int PAIR = 1, COLUMNS = PER_ROW * LANES;
  typedef float Vector __attribute__((vector_size(4 * LANES)));
  typedef int32_t Integers __attribute__((vector_size(4 * LANES)));

  static float wide(Element value) { return value; }
  static Element narrow(float value) { return value; }

  static void sizes(const Word* from, int count, Word* to) {
    for (int i = 0; i < count; ++i) to[i] = std::fabs(from[i]);
  }

  // The sums of R rows and COLUMNS columns lie `stride` apart; without `keep` they begin at zero.
  template <int R>
  static inline void multiply(float* sums, int stride, const float* keep, const Word* left,
                              int left_stride, const Word* right, int right_stride, int steps) {
    Vector s[R][PER_ROW];
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < PER_ROW; ++i)
        s[r][i] = keep ? load(sums + r * stride + LANES * i) * keep[r] : Vector{};
    for (int step = 0; step < steps; ++step, right += right_stride) {
      Vector column[PER_ROW];
      for (int i = 0; i < PER_ROW; ++i) column[i] = load(right + LANES * i);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int i = 0; i < PER_ROW; ++i) s[r][i] += left[r * left_stride + step] * column[i];
    }
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < PER_ROW; ++i) store(sums + r * stride + LANES * i, s[r][i]);
  }

  // Up to LANES rows; absent ones are zero.
  template <int D>
  static inline void pack_columns(const Element* const* rows, int count, Word* packed) {
    static const Element zeros[D] = {};
    for (int r = 0; r < LANES; r += 4) {
      const Element* four[4];
      for (int i = 0; i < 4; ++i) four[i] = r + i < count ? rows[r + i] : zeros;
      for (int d = 0; d < D; d += 4) transpose(four, d, packed + d * TILE + r);
    }
  }

  template <int D>
  static inline void pack_rows(const Element* rows, int, Word* to) {
    std::memcpy(to, rows, sizeof(Element) * D);
  }

  // Of TILE scores; `top` and `total` are the row's so far. Gives what its old sums are worth now.
  static inline float weigh(const float* scores, float scale, float& top, float& total,
                            Word* weights) {
    Vector most = Vector{} + LOWEST;
    for (int i = 0; i < TILE; i += LANES) {
      Vector x = load(scores + i) * scale;
      // Huge norms must not give inf - inf; what is no number stays none.
      x = x > -LOWEST ? Vector{} - LOWEST : x;
      most = x > most ? x : most;
      store(weights + i, x);
    }
    float now = top;
    for (int i = 0; i < LANES; ++i) now = std::max(now, most[i]);
    const float shrink = now == top ? 1.0f : std::exp(top - now);
    top = now;
    Vector sums{};
    for (int i = 0; i < TILE; i += LANES) {
      const Vector e = exp_of_negative(load(weights + i) - now);
      store(weights + i, e);
      sums += e;
    }
    total = total * shrink + sum(sums);
    return shrink;
  }

  // The first `count` scores times `scale` become shares; `into` gets their squares times `weight`.
  static inline void add_squares(float* x, int count, float scale, float weight, float* into) {
    for (int i = count; i % LANES; ++i) x[i] = -INFINITY;
    Vector most = Vector{} + LOWEST;
    for (int i = 0; i < count; i += LANES) {
      Vector v = load(x + i) * scale;
      // Huge norms must not give inf - inf; no number counts as nothing.
      v = v > LOWEST ? v : Vector{} + LOWEST;
      v = v > -LOWEST ? Vector{} - LOWEST : v;
      most = v > most ? v : most;
      store(x + i, v);
    }
    float top = LOWEST;
    for (int i = 0; i < LANES; ++i) top = std::max(top, most[i]);
    Vector sums{};
    for (int i = 0; i < count; i += LANES) {
      Vector e = exp_of_negative(load(x + i) - top);
      for (int j = count - i; j < LANES; ++j) e[j] = 0;
      store(x + i, e);
      sums += e;
    }
    const float part = std::sqrt(weight) / sum(sums);
    for (int i = 0; i < count; i += LANES) {
      const Vector share = load(x + i) * part;
      store(into + i, load(into + i) + share * share);
    }
  }

  static inline void root(float* x, int count) {
    for (int i = 0; i < count; ++i) x[i] = std::sqrt(x[i]);
  }

 private:
  static inline Vector load(const float* from) {
    Vector out;
    std::memcpy(&out, from, sizeof out);
    return out;
  }

  static inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

  static inline float sum(Vector value) {
    float out = 0;
    for (int i = 0; i < LANES; ++i) out += value[i];
    return out;
  }

  // exp(x) for x <= 0, relative error below 2e-7, and nothing below e^-87: what is hidden has no
  // weight. What is no number stays none.
  static inline Vector exp_of_negative(Vector x) {
    const float to_integer = 12582912.0f;   // 1.5 * 2^23: a sum with it has no fraction
    const Vector given = x;
    x = x < -87.0f ? Vector{} - 87.0f : x;
    const Vector n = (x * 1.44269504088896341f + to_integer) - to_integer;
    // ln 2 in two parts, so that the rest of x is exact.
    const Vector f = (x - n * 0.693145751953125f) - n * 1.428606765330187e-6f;
    Vector p = Vector{} + 0.00138888889f;
    p = p * f + 0.00833333333f;
    p = p * f + 0.0416666667f;
    p = p * f + 0.166666667f;
    p = p * f + 0.5f;
    p = p * f + 1.0f;
    p = p * f + 1.0f;
    const Integers bits = (__builtin_convertvector(n, Integers) + 127) << 23;
    Vector power;
    std::memcpy(&power, &bits, sizeof power);
    return given < -87.0f ? Vector{} : p * power;
  }

  // 4 numbers of 4 rows become 4 columns: out[c * TILE + r] = row r, number c.
  static inline void transpose(const Element* const* rows, int at, Word* out) {
    typedef float Four __attribute__((vector_size(16)));
    Four a[4], b[4];
    for (int r = 0; r < 4; ++r) std::memcpy(&a[r], rows[r] + at, sizeof a[r]);
    b[0] = Four{a[0][0], a[1][0], a[2][0], a[3][0]};
    b[1] = Four{a[0][1], a[1][1], a[2][1], a[3][1]};
    b[2] = Four{a[0][2], a[1][2], a[2][2], a[3][2]};
    b[3] = Four{a[0][3], a[1][3], a[2][3], a[3][3]};
    for (int c = 0; c < 4; ++c) std::memcpy(out + c * TILE, &b[c], sizeof b[c]);
  }
};

}  // namespace
