// bfloat16 in pairs, sums in float32: AVX-512 with bfloat16 dot products (AVX512-BF16).

#pragma once

#include "numbers.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512BF16__)
#define HAS_BF16 1

#include <immintrin.h>

namespace {

struct Bf16 {
  using Element = uint16_t;
  using Word = uint32_t;
  static constexpr int PAIR = 2, LANES = 16, COLUMNS = 4 * LANES;
  static constexpr int ROWS = 6;   // 6 * 4 sums and 4 operands are what 32 registers hold

  static float wide(Element value) {
    const uint32_t bits = uint32_t(value) << 16;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  }

  static Element narrow(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return static_cast<Element>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }

  static void sizes(const Word* from, int count, Word* to) {
    for (int i = 0; i < count; ++i) to[i] = from[i] & 0x7fff7fffu;
  }

  // The sums of R rows and COLUMNS columns lie `stride` apart; without `keep` they begin at zero.
  template <int R>
  static inline void multiply(float* sums, int stride, const float* keep, const Word* left,
                              int left_stride, const Word* right, int right_stride, int steps) {
    __m512 s[R][4];
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < 4; ++i)
        s[r][i] = keep ? _mm512_mul_ps(_mm512_set1_ps(keep[r]),
                                       _mm512_load_ps(sums + r * stride + LANES * i))
                       : _mm512_setzero_ps();
    for (int step = 0; step < steps; ++step, right += right_stride) {
      const __m512bh r0 = (__m512bh)_mm512_load_si512(right);
      const __m512bh r1 = (__m512bh)_mm512_load_si512(right + LANES);
      const __m512bh r2 = (__m512bh)_mm512_load_si512(right + 2 * LANES);
      const __m512bh r3 = (__m512bh)_mm512_load_si512(right + 3 * LANES);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m512bh pair = (__m512bh)_mm512_set1_epi32(left[r * left_stride + step]);
        s[r][0] = _mm512_dpbf16_ps(s[r][0], pair, r0);
        s[r][1] = _mm512_dpbf16_ps(s[r][1], pair, r1);
        s[r][2] = _mm512_dpbf16_ps(s[r][2], pair, r2);
        s[r][3] = _mm512_dpbf16_ps(s[r][3], pair, r3);
      }
    }
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < 4; ++i) _mm512_store_ps(sums + r * stride + LANES * i, s[r][i]);
  }

  // Up to LANES rows; absent ones are zero.
  template <int D>
  static inline void pack_columns(const Element* const* rows, int count, Word* packed) {
    static const Element zeros[D] = {};
    const Word* words[LANES];
    for (int r = 0; r < LANES; ++r)
      words[r] = reinterpret_cast<const Word*>(r < count ? rows[r] : zeros);
    for (int d = 0; d < D / 2; d += LANES) transpose(words, d, packed + d * TILE, TILE);
  }

  template <int D>
  static inline void pack_rows(const Element* rows, int count, Word* to) {
    static const Element zeros[D] = {};
    const Element *even = rows, *odd = count > 1 ? rows + D : zeros;
    for (int d = 0; d < D; d += LANES) {
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)(even + d)));
      const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)(odd + d)));
      _mm512_store_si512(to + d, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }

  // Of TILE scores; `top` and `total` are the row's so far. Gives what its old sums are worth now.
  static inline float weigh(const float* scores, float scale, float& top, float& total,
                            Word* weights) {
    __m512 x[8], most = _mm512_set1_ps(LOWEST);
    for (int i = 0; i < 8; ++i) {
      x[i] = _mm512_mul_ps(_mm512_load_ps(scores + LANES * i), _mm512_set1_ps(scale));
      // Huge norms must not give inf - inf; what is no number stays none.
      x[i] = _mm512_min_ps(_mm512_set1_ps(-LOWEST), x[i]);
      most = _mm512_max_ps(most, x[i]);
    }
    const float now = std::max(top, _mm512_reduce_max_ps(most));
    const float shrink = now == top ? 1.0f : std::exp(top - now);
    top = now;
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < 8; ++i) {
      x[i] = exp_of_negative(_mm512_sub_ps(x[i], _mm512_set1_ps(now)));
      sum = _mm512_add_ps(sum, x[i]);
    }
    for (int i = 0; i < 4; ++i)
      _mm512_store_si512(&weights[LANES * i], (__m512i)_mm512_cvtne2ps_pbh(x[2 * i + 1], x[2 * i]));
    total = total * shrink + _mm512_reduce_add_ps(sum);
    return shrink;
  }

  // The first `count` scores times `scale` become shares; `into` gets their squares times `weight`.
  static inline void add_squares(float* x, int count, float scale, float weight, float* into) {
    __m512 most = _mm512_set1_ps(LOWEST);
    for (int i = 0; i < count; i += LANES) {
      const __mmask16 used = count - i >= LANES ? 0xffff : (1u << (count - i)) - 1;
      __m512 v = _mm512_mul_ps(_mm512_load_ps(x + i), _mm512_set1_ps(scale));
      // Huge norms must not give inf - inf; no number counts as nothing.
      v = _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(LOWEST)), _mm512_set1_ps(-LOWEST));
      v = _mm512_mask_mov_ps(_mm512_set1_ps(LOWEST), used, v);
      _mm512_store_ps(x + i, v);
      most = _mm512_max_ps(most, v);
    }
    const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < count; i += LANES) {
      const __mmask16 used = count - i >= LANES ? 0xffff : (1u << (count - i)) - 1;
      const __m512 e =
          _mm512_maskz_mov_ps(used, exp_of_negative(_mm512_sub_ps(_mm512_load_ps(x + i), top)));
      _mm512_store_ps(x + i, e);
      sum = _mm512_add_ps(sum, e);
    }
    const __m512 part = _mm512_set1_ps(std::sqrt(weight) / _mm512_reduce_add_ps(sum));
    for (int i = 0; i < count; i += LANES) {
      const __m512 share = _mm512_mul_ps(_mm512_load_ps(x + i), part);
      _mm512_storeu_ps(into + i, _mm512_fmadd_ps(share, share, _mm512_loadu_ps(into + i)));
    }
  }

  static inline void root(float* x, int count) {
    for (int i = 0; i < count; i += LANES)
      _mm512_storeu_ps(x + i, _mm512_sqrt_ps(_mm512_loadu_ps(x + i)));
  }

 private:
  // exp(x) for x <= 0; relative error below 2e-6, which bfloat16 weights do not see. Of the operands
  // of min and max it is the second that comes through when one is no number.
  static inline __m512 exp_of_negative(__m512 x) {
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

  // 16 rows of 16 words become 16 columns: out[c * stride + r] = row r, word c.
  static inline void transpose(const Word* const* rows, int at, Word* out, int stride) {
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
};

}  // namespace

#else
#define HAS_BF16 0
#endif
