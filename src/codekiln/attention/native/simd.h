// What the kernels share: bfloat16 products, exponentials and transposed packing for AVX-512 with
// bfloat16 dot products (AVX512-BF16).

#pragma once

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512BF16__)
#error "this processor has no AVX512-BF16"
#endif

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>

namespace {

using bf16 = uint16_t;
constexpr int TILE = 128;         // keys per tile
constexpr int LANES = 16;         // float32 per register
constexpr int PART = 4 * LANES;   // columns that one pass keeps in registers
constexpr int MOST_ROWS = 6;      // MOST_ROWS * 4 sums, 4 operands: what 32 registers hold
constexpr float LOWEST = -3.0e38f;

struct Aligned {
  void operator()(void* p) const { _mm_free(p); }
};
template <typename T>
using Buffer = std::unique_ptr<T[], Aligned>;
template <typename T>
Buffer<T> buffer(size_t count) {
  return Buffer<T>(static_cast<T*>(_mm_malloc(count * sizeof(T), 64)));
}

// exp(x) for x <= 0; relative error below 2e-6, which bfloat16 weights do not see. Of the operands
// of min and max it is the second that comes through when one is no number.
inline __m512 exp_of_negative(__m512 x) {
  const __m512 t = _mm512_mul_ps(_mm512_max_ps(_mm512_set1_ps(-100.0f), x),
                                 _mm512_set1_ps(1.44269504088896341f));
  const __m512 n = _mm512_roundscale_ps(t, 0);
  const __m512 f = _mm512_sub_ps(t, n);
  __m512 p = _mm512_set1_ps(0.0013333558f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.0096181291f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.0555041087f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.2402265070f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.6931471806f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

inline bf16 to_bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<bf16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// 16 rows of 16 words become 16 columns: out[c * stride + r] = row r, word c.
inline void transpose16(const uint32_t* const* rows, int at, uint32_t* out, int stride) {
  __m512i a[16], b[16];
  for (int r = 0; r < 16; ++r) a[r] = _mm512_loadu_si512(rows[r] + at);
  for (int r = 0; r < 16; r += 2) {
    b[r] = _mm512_unpacklo_epi32(a[r], a[r + 1]);
    b[r + 1] = _mm512_unpackhi_epi32(a[r], a[r + 1]);
  }
  for (int r = 0; r < 16; r += 4) {
    a[r] = _mm512_unpacklo_epi64(b[r], b[r + 2]);
    a[r + 1] = _mm512_unpackhi_epi64(b[r], b[r + 2]);
    a[r + 2] = _mm512_unpacklo_epi64(b[r + 1], b[r + 3]);
    a[r + 3] = _mm512_unpackhi_epi64(b[r + 1], b[r + 3]);
  }
  for (int r = 0; r < 4; ++r) {
    b[r] = _mm512_shuffle_i32x4(a[r], a[r + 4], 0x88);
    b[r + 4] = _mm512_shuffle_i32x4(a[r], a[r + 4], 0xdd);
    b[r + 8] = _mm512_shuffle_i32x4(a[r + 8], a[r + 12], 0x88);
    b[r + 12] = _mm512_shuffle_i32x4(a[r + 8], a[r + 12], 0xdd);
  }
  for (int r = 0; r < 4; ++r) {
    _mm512_store_si512(out + r * stride, _mm512_shuffle_i32x4(b[r], b[r + 8], 0x88));
    _mm512_store_si512(out + (r + 4) * stride, _mm512_shuffle_i32x4(b[r + 4], b[r + 12], 0x88));
    _mm512_store_si512(out + (r + 8) * stride, _mm512_shuffle_i32x4(b[r], b[r + 8], 0xdd));
    _mm512_store_si512(out + (r + 12) * stride, _mm512_shuffle_i32x4(b[r + 4], b[r + 12], 0xdd));
  }
}

// Up to 16 rows become columns of packed[d / 2][TILE], pairs along head_dim; absent ones are zero.
template <int D>
inline void pack_columns(const bf16* const* rows, int count, uint32_t* packed) {
  static const bf16 zeros[D] = {};
  const uint32_t* words[LANES];
  for (int r = 0; r < LANES; ++r) words[r] = reinterpret_cast<const uint32_t*>(r < count ? rows[r] : zeros);
  for (int d = 0; d < D / 2; d += LANES) transpose16(words, d, packed + d * TILE, TILE);
}

// sums[r][c] += left[r][step] * right[step][c] over all steps, for 4 * LANES columns. Each word is a
// pair of bfloat16, of which both products are added.
template <int R>
inline void add_products(__m512 (&sums)[R][4], const uint32_t* left, int left_stride,
                         const uint32_t* right, int right_stride, int steps) {
  for (int step = 0; step < steps; ++step, right += right_stride) {
    const __m512bh r0 = (__m512bh)_mm512_load_si512(right);
    const __m512bh r1 = (__m512bh)_mm512_load_si512(right + LANES);
    const __m512bh r2 = (__m512bh)_mm512_load_si512(right + 2 * LANES);
    const __m512bh r3 = (__m512bh)_mm512_load_si512(right + 3 * LANES);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512bh pair = (__m512bh)_mm512_set1_epi32(left[r * left_stride + step]);
      sums[r][0] = _mm512_dpbf16_ps(sums[r][0], pair, r0);
      sums[r][1] = _mm512_dpbf16_ps(sums[r][1], pair, r1);
      sums[r][2] = _mm512_dpbf16_ps(sums[r][2], pair, r2);
      sums[r][3] = _mm512_dpbf16_ps(sums[r][3], pair, r3);
    }
  }
}

}  // namespace
