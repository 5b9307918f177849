// Which blocks of keys each reader looks at: codekiln.attention.selection in one pass.
//
// One item is one KV head and a few neighbouring readers, which share the packing of the means and
// the look at the groups' boxes. Averaged queries of all heads of the group meet the means TILE at a
// time; the shares of attention stay in float32.

#include "bf16.h"
#include "f32.h"

#include <numeric>
#include <vector>

namespace {

// `phase` is the position of the first row on the grid of pools; blocks [0, globals) and
// [window, before) are forced; a dense reader takes all of [0, before).
struct Reader {
  int32_t first_row, rows, phase, before, window, dense;
};

struct Choice {
  int32_t pool, globals, group, most_groups, min_blocks, max_blocks;
  float threshold;
};

// Of rows of queries and packed columns.
template <typename A, int D>
class Scores {
  using Element = typename A::Element;
  using Word = typename A::Word;
  static constexpr int WORDS = D / A::PAIR;

 public:
  Scores(int most_rows, int most_columns)
      : width_((most_columns + TILE - 1) / TILE * TILE),
        values_(buffer<float>(size_t(most_rows) * width_)), packed_(buffer<Word>(WORDS * TILE)) {}

  float* row(int r) { return values_.get() + size_t(r) * width_; }

  // row r, column c = queries[r] . columns[c], or added to what is there.
  void add(const Word* queries, int rows, const Element* const* columns, int count, bool onto) {
    for (int from = 0; from < count; from += TILE) {
      for (int j = 0; j < TILE; j += A::LANES)
        A::template pack_columns<D>(columns + from + j, std::max(0, count - from - j),
                                    packed_.get() + j);
      int r = 0;
      for (; r + A::ROWS <= rows; r += A::ROWS) meet<A::ROWS>(queries, r, from, onto);
      for (; r < rows; ++r) meet<1>(queries, r, from, onto);
    }
  }

 private:
  template <int R>
  void meet(const Word* queries, int r, int from, bool onto) {
    float keep[R];
    std::fill_n(keep, R, 1.0f);
    for (int c = 0; c < TILE; c += A::COLUMNS)
      A::template multiply<R>(row(r) + from + c, width_, onto ? keep : nullptr, queries + r * WORDS,
                              WORDS, packed_.get() + c, TILE, WORDS);
  }

  int width_;
  Buffer<float> values_;
  Buffer<Word> packed_;
};

template <typename A, int D>
class Selector {
  using Element = typename A::Element;
  using Word = typename A::Word;
  static constexpr int WORDS = D / A::PAIR;

 public:
  Selector(const Choice& choice, int ratio, int most_rows, int most_blocks, int span)
      : choice_(choice), ratio_(ratio), blocks_(most_blocks),
        scores_(most_rows, most_blocks + choice.group), queries_(buffer<Word>(most_rows * WORDS)),
        sizes_(buffer<Word>(most_rows * WORDS)), begins_(span + 1),
        shares_(size_t(span) * (most_blocks + MOST_LANES)), chosen_(most_blocks) {}

  // `means`, `low` and `high` are those of the KV head; lists [span][most] and counts [span] are
  // filled. `q` points to the first head of the group in row 0, rows are `stride` apart.
  void run(const Element* q, int64_t stride, const Element* means, const Element* low, const Element* high,
           const Reader* readers, int span, int32_t* lists, int64_t most, int32_t* counts) {
    int top = 0;
    for (int i = 0; i < span; ++i)
      if (has_far(readers[i])) top = std::max(top, readers[i].before);
    if (top) {
      int rows = 0;
      for (int i = 0; i < span; ++i) {
        begins_[i] = rows;
        if (has_far(readers[i])) rows += pool(q, stride, readers[i], rows);
      }
      begins_[span] = rows;
      look(low, high, readers, span, top);
      columns_.clear();
      for (int block : members_) columns_.push_back(means + int64_t(block) * D);
      columns_.resize((columns_.size() + TILE - 1) / TILE * TILE);
      scores_.add(queries_.get(), rows, columns_.data(), static_cast<int>(members_.size()), false);
      share(readers, span, [this](const Reader& reader) {
        return std::lower_bound(members_.begin(), members_.end(), reader.before) - members_.begin();
      });
    }
    for (int i = 0; i < span; ++i)
      counts[i] = list(readers[i], shares_.data() + size_t(i) * width(), lists + i * most);
  }

 private:
  size_t width() const { return blocks_ + MOST_LANES; }

  bool has_far(const Reader& reader) const {
    return !reader.dense && reader.window > choice_.globals;
  }

  // Means of neighbouring rows, all heads of the group, from place `at` on; how many.
  int pool(const Element* q, int64_t stride, const Reader& reader, int at) {
    int made = 0;
    for (int from = 0; from < reader.rows;) {
      const int to = std::min(reader.rows, from + choice_.pool - (reader.phase + from) % choice_.pool);
      for (int head = 0; head < ratio_; ++head, ++made) {
        Element* mean = reinterpret_cast<Element*>(queries_.get() + (at + made) * WORDS);
        for (int d = 0; d < D; ++d) {
          float sum = 0;
          for (int t = from; t < to; ++t)
            sum += A::wide(q[(reader.first_row + t) * stride + head * D + d]);
          mean[d] = A::narrow(sum / (to - from));
        }
      }
      from = to;
    }
    return made;
  }

  // The root mean square, over each reader's rows, of the shares of its first `visible(reader)`
  // columns.
  template <typename Visible>
  void share(const Reader* readers, int span, Visible visible) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(D));
    for (int i = 0; i < span; ++i) {
      float* into = shares_.data() + size_t(i) * width();
      std::fill_n(into, width(), 0.0f);
      const int rows = begins_[i + 1] - begins_[i], count = static_cast<int>(visible(readers[i]));
      for (int r = 0; r < rows && count; ++r)
        A::add_squares(scores_.row(begins_[i] + r), count, scale, 1.0f / rows, into);
      A::root(into, count);
    }
  }

  // The blocks before `top` that are scored, ascending: those of the groups whose boxes allow most.
  void look(const Element* low, const Element* high, const Reader* readers, int span, int top) {
    const int groups = (top + choice_.group - 1) / choice_.group;
    order_.resize(groups);
    std::iota(order_.begin(), order_.end(), 0);
    if (groups > choice_.most_groups) {
      const int rows = begins_[span];
      A::sizes(queries_.get(), rows * WORDS, sizes_.get());
      corners_.resize(size_t(2) * groups * D);
      for (int64_t i = 0; i < int64_t(groups) * D; ++i) {
        const float least = A::wide(low[i]), most = A::wide(high[i]);
        corners_[i] = A::narrow((least + most) / 2);
        corners_[int64_t(groups) * D + i] = A::narrow((most - least) / 2);
      }
      for (int part = 0; part < 2; ++part) {
        columns_.clear();
        for (int g = 0; g < groups; ++g)
          columns_.push_back(corners_.data() + (int64_t(part) * groups + g) * D);
        columns_.resize((groups + TILE - 1) / TILE * TILE);
        scores_.add(part ? sizes_.get() : queries_.get(), rows, columns_.data(), groups, part > 0);
      }
      share(readers, span, [this](const Reader& reader) {
        return (reader.before + choice_.group - 1) / choice_.group;
      });
      worth_.assign(groups, 0.0f);
      for (int i = 0; i < span; ++i)
        for (int g = 0; g < groups; ++g) worth_[g] += shares_[size_t(i) * width() + g];
      std::nth_element(order_.begin(), order_.begin() + choice_.most_groups, order_.end(), by_worth());
      order_.resize(choice_.most_groups);
      std::sort(order_.begin(), order_.end());
    }
    members_.clear();
    for (int g : order_)
      for (int b = g * choice_.group; b < std::min(top, (g + 1) * choice_.group); ++b)
        members_.push_back(b);
  }

  // One reader's list, ascending, from the shares of the members; its length.
  int list(const Reader& reader, const float* shares, int32_t* out) {
    std::fill_n(chosen_.begin(), reader.before, !has_far(reader));
    if (has_far(reader)) {
      worth_.assign(reader.before, 0.0f);
      for (size_t i = 0; i < members_.size() && members_[i] < reader.before; ++i)
        worth_[members_[i]] = shares[i];
      order_.clear();
      const int far = reader.window - choice_.globals;
      const float least = choice_.threshold / reader.before;
      for (int b = choice_.globals; b < reader.window; ++b)
        if (worth_[b] >= least) order_.push_back(b);
      const int found = static_cast<int>(order_.size()), floor = std::min(choice_.min_blocks, far);
      if (found < floor) {
        order_.resize(far);
        std::iota(order_.begin(), order_.end(), choice_.globals);
      }
      const int kept = std::min(std::max(found, floor), choice_.max_blocks);
      if (kept < static_cast<int>(order_.size()))
        std::nth_element(order_.begin(), order_.begin() + kept, order_.end(), by_worth());
      for (int i = 0; i < kept; ++i) chosen_[order_[i]] = 1;
      std::fill_n(chosen_.begin(), choice_.globals, 1);
      std::fill(chosen_.begin() + reader.window, chosen_.begin() + reader.before, 1);
    }
    int count = 0;
    for (int b = 0; b < reader.before; ++b)
      if (chosen_[b]) out[count++] = b;
    return count;
  }

  auto by_worth() const {
    return [this](int a, int b) { return worth_[a] != worth_[b] ? worth_[a] > worth_[b] : a < b; };
  }

  Choice choice_;
  int ratio_, blocks_;
  Scores<A, D> scores_;
  Buffer<Word> queries_, sizes_;
  std::vector<int> begins_;
  std::vector<float> shares_, worth_;
  std::vector<uint8_t> chosen_;
  std::vector<int> members_, order_;
  std::vector<const Element*> columns_;
  std::vector<Element> corners_;
};

template <typename A, int D>
Status select(const void* queries, const void* means, int64_t means_stride, const void* low,
              const void* high, int64_t box_stride, const Reader* readers, int count, int span,
              const Choice& choice, int32_t* lists, int64_t most, int32_t* counts, int heads,
              int kv_heads, int threads) {
  using Element = typename A::Element;
  const auto part = [](const void* all, int64_t at) { return static_cast<const Element*>(all) + at; };
  const int ratio = heads / kv_heads, spans = (count + span - 1) / span;
  int blocks = 1, rows = 0;
  for (int i = 0; i < count; ++i) blocks = std::max(blocks, readers[i].before);
  for (int s = 0; s < spans; ++s) {
    int sum = 0;
    for (int i = s * span; i < std::min(count, (s + 1) * span); ++i)
      sum += (readers[i].rows / choice.pool + 2) * ratio;
    rows = std::max(rows, sum);
  }
  return in_parallel(threads, kv_heads * spans, [&](auto next) {
    Selector<A, D> selector(choice, ratio, rows, blocks, span);
    for (int item = next(); item >= 0; item = next()) {
      const int head = item / spans, first = item % spans * span;
      const int64_t place = int64_t(head) * count + first;
      selector.run(part(queries, int64_t(head) * ratio * D), int64_t(heads) * D,
                   part(means, head * means_stride), part(low, head * box_stride),
                   part(high, head * box_stride), readers + first, std::min(span, count - first),
                   lists + place * most, most, counts + place);
    }
  });
}

template <typename A>
auto select_for(int head_dim) {
  return head_dim == 64 ? select<A, 64> : head_dim == 128 ? select<A, 128> : nullptr;
}

}  // namespace

// q: [rows, heads, head_dim]; means, low, high: [kv_heads, .., head_dim], KV heads `means_stride` and
// `box_stride` elements apart; all bfloat16 or all float32; lists: int32 [kv_heads, count, most];
// counts: int32 [kv_heads, count]. `span` readers share their packing. Returns a Status.
extern "C" int codekiln_select(int is_bf16, const void* q, const void* means, int64_t means_stride,
                               const void* low, const void* high, int64_t box_stride,
                               const void* readers, int count, int span, const void* choice,
                               void* lists, int64_t most, void* counts, int heads, int kv_heads,
                               int head_dim, int threads) {
#if HAS_BF16
  const auto run = is_bf16 ? select_for<Bf16>(head_dim) : select_for<F32>(head_dim);
#else
  const auto run = is_bf16 ? nullptr : select_for<F32>(head_dim);
#endif
  if (!run) return NOT_MADE_FOR;
  return run(q, means, means_stride, low, high, box_stride, static_cast<const Reader*>(readers), count,
             span, *static_cast<const Choice*>(choice), static_cast<int32_t*>(lists), most,
             static_cast<int32_t*>(counts), heads, kv_heads, threads);
}
