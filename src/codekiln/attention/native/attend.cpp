// Attention over lists of key blocks for AVX-512 with bfloat16 dot products (AVX512-BF16).
//
// One item is one KV head and a run of rows that share a list. Its queries, all heads of the group
// together, meet TILE keys at a time: scores in float32, online softmax (arXiv 2205.14135), weights
// rounded to bfloat16 for the product with the values, sums in float32. A tile is put together from
// listed blocks wherever they lie, so that a list costs what its keys cost.

#include "simd.h"

namespace {

struct Item {
  int32_t sequence, head, first_row, rows;   // rows: tokens; each brings all heads of the group
  int32_t list, blocks;                      // where its list begins, and its length
  int32_t own, own_seen;                     // first own key, or -1; how many the first row sees
};

// Keys as pairs along head_dim: packed[d / 2][key]; values as pairs of keys: packed[key / 2][d].
template <int D>
struct Tile {
  Buffer<uint32_t> keys = buffer<uint32_t>(D / 2 * TILE), values = buffer<uint32_t>(TILE / 2 * D);
  int filled = 0;

  // `count` keys from `k` and `v` on; the tile is padded with zeros when it is closed.
  void add(const bf16* k, const bf16* v, int count) {
    static const bf16 zeros[D] = {};
    for (int j = 0; j < count; j += LANES) {
      const bf16* rows[LANES];
      for (int r = 0; r < LANES; ++r) rows[r] = k + (j + r) * D;
      pack_columns<D>(rows, count - j, keys.get() + filled + j);
    }
    for (int j = 0; j < count; j += 2) {
      const bf16 *even = v + j * D, *odd = j + 1 < count ? v + (j + 1) * D : zeros;
      uint32_t* to = values.get() + (filled + j) / 2 * D;
      for (int d = 0; d < D; d += LANES) {
        const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)(even + d)));
        const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)(odd + d)));
        _mm512_store_si512(to + d, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
      }
    }
    filled += count;
  }

  void close() {
    for (int j = (filled + LANES - 1) / LANES * LANES; j < TILE; j += LANES)
      for (int d = 0; d < D / 2; ++d)
        _mm512_store_si512(keys.get() + d * TILE + j, _mm512_setzero_si512());
    const int from = (filled + 1) / 2;
    std::memset(values.get() + from * D, 0, sizeof(uint32_t) * (TILE / 2 - from) * D);
  }
};

// R rows meet one tile. `seen` is the number of its keys that each row sees, null for all.
template <int D, int R>
inline void meet(const uint32_t* q, const Tile<D>& tile, float* top, float* total, float* out,
                 float scale, const int* seen) {
  alignas(64) float scores[R][TILE];
  for (int c = 0; c < TILE; c += PART) {
    __m512 sums[R][4];
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < 4; ++i) sums[r][i] = _mm512_setzero_ps();
    add_products<R>(sums, q, D / 2, tile.keys.get() + c, TILE, D / 2);
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < 4; ++i) _mm512_store_ps(&scores[r][c + LANES * i], sums[r][i]);
  }

  alignas(64) uint32_t weights[R][TILE / 2];
  float shrink[R];
  for (int r = 0; r < R; ++r) {
    if (seen) std::fill(&scores[r][std::clamp(seen[r], 0, TILE)], &scores[r][0] + TILE, -INFINITY);
    __m512 x[8], most = _mm512_set1_ps(LOWEST);
    for (int i = 0; i < 8; ++i) {
      x[i] = _mm512_mul_ps(_mm512_load_ps(&scores[r][LANES * i]), _mm512_set1_ps(scale));
      // Huge norms must not give inf - inf; what is no number stays none.
      x[i] = _mm512_min_ps(_mm512_set1_ps(-LOWEST), x[i]);
      most = _mm512_max_ps(most, x[i]);
    }
    const float now = std::max(top[r], _mm512_reduce_max_ps(most));
    shrink[r] = now == top[r] ? 1.0f : std::exp(top[r] - now);
    top[r] = now;
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < 8; ++i) {
      x[i] = exp_of_negative(_mm512_sub_ps(x[i], _mm512_set1_ps(now)));
      sum = _mm512_add_ps(sum, x[i]);
    }
    for (int i = 0; i < 4; ++i)
      _mm512_store_si512(&weights[r][LANES * i],
                         (__m512i)_mm512_cvtne2ps_pbh(x[2 * i + 1], x[2 * i]));
    total[r] = total[r] * shrink[r] + _mm512_reduce_add_ps(sum);
  }

  for (int c = 0; c < D; c += PART) {
    __m512 sums[R][4];
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < 4; ++i)
        sums[r][i] = _mm512_mul_ps(_mm512_set1_ps(shrink[r]),
                                   _mm512_load_ps(out + r * D + c + LANES * i));
    add_products<R>(sums, weights[0], TILE / 2, tile.values.get() + c, D, TILE / 2);
    for (int r = 0; r < R; ++r)
      for (int i = 0; i < 4; ++i) _mm512_store_ps(out + r * D + c + LANES * i, sums[r][i]);
  }
}

template <int D>
class Rows {
 public:
  explicit Rows(int most)
      : queries_(buffer<uint32_t>(most * D / 2)), out_(buffer<float>(most * D)),
        top_(buffer<float>(most)), total_(buffer<float>(most)), seen_(buffer<int>(most)) {}

  void begin(const bf16* q, const Item& item, int heads, int ratio) {
    count_ = item.rows * ratio;
    for (int t = 0; t < item.rows; ++t) {
      const int64_t from = (int64_t(item.first_row + t) * heads + item.head * ratio) * D;
      std::memcpy(queries_.get() + t * ratio * (D / 2), q + from, sizeof(bf16) * ratio * D);
    }
    std::fill_n(top_.get(), count_, LOWEST);
    std::fill_n(total_.get(), count_, 0.0f);
    std::memset(out_.get(), 0, sizeof(float) * count_ * D);
  }

  // All rows meet the tile, which is empty afterwards. Row t sees `seen + t` keys, or all of them.
  void meet_tile(Tile<D>& tile, float scale, bool causal, int seen, int ratio) {
    tile.close();
    const bool partly = causal || tile.filled < TILE;
    if (partly)
      for (int r = 0; r < count_; ++r)
        seen_[r] = causal ? std::min(seen + r / ratio, tile.filled) : tile.filled;
    int r = 0;
    for (; r + MOST_ROWS <= count_; r += MOST_ROWS) meet_rows<MOST_ROWS>(r, tile, scale, partly);
    switch (count_ - r) {
      case 5: meet_rows<5>(r, tile, scale, partly); break;
      case 4: meet_rows<4>(r, tile, scale, partly); break;
      case 3: meet_rows<3>(r, tile, scale, partly); break;
      case 2: meet_rows<2>(r, tile, scale, partly); break;
      case 1: meet_rows<1>(r, tile, scale, partly); break;
    }
    tile.filled = 0;
  }

  void finish(bf16* out, float* lse, const Item& item, int heads, int ratio) const {
    for (int r = 0; r < count_; ++r) {
      const int64_t row = int64_t(item.first_row + r / ratio) * heads + item.head * ratio + r % ratio;
      const float inverse = total_[r] > 0 ? 1.0f / total_[r] : 0.0f;
      for (int d = 0; d < D; ++d) out[row * D + d] = to_bf16(out_[r * D + d] * inverse);
      lse[row] = total_[r] > 0 ? top_[r] + std::log(total_[r]) : -INFINITY;
    }
  }

 private:
  template <int R>
  void meet_rows(int r, const Tile<D>& tile, float scale, bool partly) {
    meet<D, R>(queries_.get() + r * (D / 2), tile, top_.get() + r, total_.get() + r,
               out_.get() + r * D, scale, partly ? seen_.get() + r : nullptr);
  }

  Buffer<uint32_t> queries_;
  Buffer<float> out_, top_, total_;
  Buffer<int> seen_;
  int count_ = 0;
};

template <int D>
void attend(const bf16* q, const int64_t* keys, const int64_t* values, int64_t head_stride,
            bf16* out, float* lse, const Item* items, int count, const int32_t* lists, int block,
            int heads, int kv_heads, int threads) {
  const int ratio = heads / kv_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(D));
  int most = 0;
  for (int i = 0; i < count; ++i) most = std::max(most, items[i].rows * ratio);
#pragma omp parallel num_threads(threads)
  {
    Rows<D> rows(most);
    Tile<D> tile;
#pragma omp for schedule(dynamic, 1)
    for (int i = 0; i < count; ++i) {
      const Item& item = items[i];
      const bf16* k = reinterpret_cast<const bf16*>(keys[item.sequence]) + item.head * head_stride;
      const bf16* v = reinterpret_cast<const bf16*>(values[item.sequence]) + item.head * head_stride;
      rows.begin(q, item, heads, ratio);
      for (int b = 0; b < item.blocks; ++b) {
        const int64_t at = int64_t(lists[item.list + b]) * block * D;
        tile.add(k + at, v + at, block);
        if (tile.filled + block > TILE) rows.meet_tile(tile, scale, false, 0, ratio);
      }
      if (tile.filled) rows.meet_tile(tile, scale, false, 0, ratio);
      const int last = item.own < 0 ? 0 : item.own_seen + item.rows - 1;
      for (int from = 0; from < last; from += TILE) {
        const int64_t at = int64_t(item.own + from) * D;
        tile.add(k + at, v + at, std::min(TILE, last - from));
        rows.meet_tile(tile, scale, true, item.own_seen - from, ratio);
      }
      rows.finish(out, lse, item, heads, ratio);
    }
  }
}

}  // namespace

// q, out: bfloat16 [rows, heads, head_dim]; lse: float32 [rows, heads]; keys, values: addresses of
// bfloat16 [kv_heads, n, head_dim] per sequence, `head_stride` elements from head to head; lists:
// block numbers; a block has `block` keys. Returns 0, or 1 for sizes that this was not made for.
extern "C" int codekiln_attend(const void* q, const int64_t* keys, const int64_t* values,
                               int64_t head_stride, void* out, float* lse, const void* items,
                               int count, const int32_t* lists, int block, int heads, int kv_heads,
                               int head_dim, int threads) {
  if (block < LANES || block > TILE || TILE % block) return 1;
  const auto run = head_dim == 64 ? attend<64> : head_dim == 128 ? attend<128> : nullptr;
  if (!run) return 1;
  run(static_cast<const bf16*>(q), keys, values, head_stride, static_cast<bf16*>(out), lse,
      static_cast<const Item*>(items), count, lists, block, heads, kv_heads, threads);
  return 0;
}
