// Attention over lists of key blocks.
//
// One item is one KV head and a run of rows that share a list. Its queries, all heads of the group
// together, meet TILE keys at a time: scores in float32, online softmax (arXiv 2205.14135), weights
// rounded to the numbers of the values, sums in float32. A tile is put together from listed blocks
// wherever they lie, so that a list costs what its keys cost.

#include "bf16.h"
#include "f32.h"

namespace {

struct Item {
  int32_t sequence, head, first_row, rows;   // rows: tokens; each brings all heads of the group
  int32_t list, blocks;                      // where its list begins, and its length
  int32_t own, own_seen;                     // first own key, or -1; how many the first row sees
};

// Keys as words along head_dim: packed[d / PAIR][key]; values as words of keys: packed[key / PAIR][d].
template <typename A, int D>
struct Tile {
  using Element = typename A::Element;
  using Word = typename A::Word;
  Buffer<Word> keys = buffer<Word>(D / A::PAIR * TILE), values = buffer<Word>(TILE / A::PAIR * D);
  int filled = 0;

  // `count` keys from `k` and `v` on; the tile is padded with zeros when it is closed.
  void add(const Element* k, const Element* v, int count) {
    for (int j = 0; j < count; j += A::LANES) {
      const Element* rows[A::LANES];
      for (int r = 0; r < A::LANES; ++r) rows[r] = k + (j + r) * D;
      A::template pack_columns<D>(rows, count - j, keys.get() + filled + j);
    }
    for (int j = 0; j < count; j += A::PAIR)
      A::template pack_rows<D>(v + j * D, count - j, values.get() + (filled + j) / A::PAIR * D);
    filled += count;
  }

  void close() {
    const int columns = (filled + A::LANES - 1) / A::LANES * A::LANES;
    for (int d = 0; d < D / A::PAIR; ++d)
      std::memset(keys.get() + d * TILE + columns, 0, sizeof(Word) * (TILE - columns));
    const int rows = (filled + A::PAIR - 1) / A::PAIR;
    std::memset(values.get() + rows * D, 0, sizeof(Word) * (TILE / A::PAIR - rows) * D);
  }
};

// R rows meet one tile. `seen` is the number of its keys that each row sees, null for all.
template <typename A, int D, int R>
inline void meet(const typename A::Word* q, const Tile<A, D>& tile, float* top, float* total,
                 float* out, float scale, const int* seen) {
  constexpr int WORDS = D / A::PAIR;
  alignas(64) float scores[R][TILE];
  for (int c = 0; c < TILE; c += A::COLUMNS)
    A::template multiply<R>(&scores[0][c], TILE, nullptr, q, WORDS, tile.keys.get() + c, TILE, WORDS);

  alignas(64) typename A::Word weights[R][TILE / A::PAIR];
  float keep[R];
  for (int r = 0; r < R; ++r) {
    if (seen) std::fill(&scores[r][std::clamp(seen[r], 0, TILE)], &scores[r][0] + TILE, -INFINITY);
    keep[r] = A::weigh(scores[r], scale, top[r], total[r], weights[r]);
  }

  for (int c = 0; c < D; c += A::COLUMNS)
    A::template multiply<R>(out + c, D, keep, weights[0], TILE / A::PAIR, tile.values.get() + c, D,
                            TILE / A::PAIR);
}

template <typename A, int D>
class Rows {
  using Element = typename A::Element;
  using Word = typename A::Word;
  static constexpr int WORDS = D / A::PAIR;

 public:
  explicit Rows(int most)
      : queries_(buffer<Word>(most * WORDS)), out_(buffer<float>(most * D)),
        top_(buffer<float>(most)), total_(buffer<float>(most)), seen_(buffer<int>(most)) {}

  void begin(const Element* q, const Item& item, int heads, int ratio) {
    count_ = item.rows * ratio;
    for (int t = 0; t < item.rows; ++t) {
      const int64_t from = (int64_t(item.first_row + t) * heads + item.head * ratio) * D;
      std::memcpy(queries_.get() + t * ratio * WORDS, q + from, sizeof(Element) * ratio * D);
    }
    std::fill_n(top_.get(), count_, LOWEST);
    std::fill_n(total_.get(), count_, 0.0f);
    std::memset(out_.get(), 0, sizeof(float) * count_ * D);
  }

  // All rows meet the tile, which is empty afterwards. Row t sees `seen + t` keys, or all of them.
  void meet_tile(Tile<A, D>& tile, float scale, bool causal, int seen, int ratio) {
    tile.close();
    const bool partly = causal || tile.filled < TILE;
    if (partly)
      for (int r = 0; r < count_; ++r)
        seen_[r] = causal ? std::min(seen + r / ratio, tile.filled) : tile.filled;
    int r = 0;
    static_assert(A::ROWS == 6, "the cases below are the rest of a division by it");
    for (; r + A::ROWS <= count_; r += A::ROWS) meet_rows<A::ROWS>(r, tile, scale, partly);
    switch (count_ - r) {
      case 5: meet_rows<5>(r, tile, scale, partly); break;
      case 4: meet_rows<4>(r, tile, scale, partly); break;
      case 3: meet_rows<3>(r, tile, scale, partly); break;
      case 2: meet_rows<2>(r, tile, scale, partly); break;
      case 1: meet_rows<1>(r, tile, scale, partly); break;
    }
    tile.filled = 0;
  }

  void finish(Element* out, float* lse, const Item& item, int heads, int ratio) const {
    for (int r = 0; r < count_; ++r) {
      const int64_t row = int64_t(item.first_row + r / ratio) * heads + item.head * ratio + r % ratio;
      const float inverse = total_[r] > 0 ? 1.0f / total_[r] : 0.0f;
      for (int d = 0; d < D; ++d) out[row * D + d] = A::narrow(out_[r * D + d] * inverse);
      lse[row] = total_[r] > 0 ? top_[r] + std::log(total_[r]) : -INFINITY;
    }
  }

 private:
  template <int R>
  void meet_rows(int r, const Tile<A, D>& tile, float scale, bool partly) {
    meet<A, D, R>(queries_.get() + r * WORDS, tile, top_.get() + r, total_.get() + r,
               out_.get() + r * D, scale, partly ? seen_.get() + r : nullptr);
  }

  Buffer<Word> queries_;
  Buffer<float> out_, top_, total_;
  Buffer<int> seen_;
  int count_ = 0;
};

template <typename A, int D>
Status attend(const void* queries, const int64_t* keys, const int64_t* values, int64_t head_stride,
              void* to, float* lse, const Item* items, int count, const int32_t* lists, int block,
              int heads, int kv_heads, int threads) {
  using Element = typename A::Element;
  const Element* q = static_cast<const Element*>(queries);
  Element* out = static_cast<Element*>(to);
  const int ratio = heads / kv_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(D));
  int most = 0;
  for (int i = 0; i < count; ++i) most = std::max(most, items[i].rows * ratio);
  return in_parallel(threads, count, [&](auto next) {
    Rows<A, D> rows(most);
    Tile<A, D> tile;
    for (int i = next(); i >= 0; i = next()) {
      const Item& item = items[i];
      const Element* k = reinterpret_cast<const Element*>(keys[item.sequence]) + item.head * head_stride;
      const Element* v = reinterpret_cast<const Element*>(values[item.sequence]) + item.head * head_stride;
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
  });
}

template <typename A>
auto attend_for(int head_dim) {
  return head_dim == 64 ? attend<A, 64> : head_dim == 128 ? attend<A, 128> : nullptr;
}

}  // namespace

// Whether the functions below take bfloat16; float32 they take everywhere.
extern "C" int codekiln_has_bf16() { return HAS_BF16; }

// q, out: [rows, heads, head_dim]; lse: float32 [rows, heads]; keys, values: addresses of
// [kv_heads, n, head_dim] per sequence, `head_stride` elements from head to head; all bfloat16 or
// all float32; lists: block numbers; a block has `block` keys. Returns a Status.
extern "C" int codekiln_attend(int is_bf16, const void* q, const int64_t* keys,
                               const int64_t* values, int64_t head_stride, void* out, float* lse,
                               const void* items, int count, const int32_t* lists, int block,
                               int heads, int kv_heads, int head_dim, int threads) {
  if (block < MOST_LANES || block > TILE || TILE % block) return NOT_MADE_FOR;
#if HAS_BF16
  const auto run = is_bf16 ? attend_for<Bf16>(head_dim) : attend_for<F32>(head_dim);
#else
  const auto run = is_bf16 ? nullptr : attend_for<F32>(head_dim);
#endif
  if (!run) return NOT_MADE_FOR;
  return run(q, keys, values, head_stride, out, lse, static_cast<const Item*>(items), count, lists,
             block, heads, kv_heads, threads);
}
