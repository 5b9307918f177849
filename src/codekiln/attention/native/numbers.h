// What the kernels share whatever numbers they compute with.
//
// The numbers are a class, `Bf16` or `F32`, that the kernels take as their parameter `A`:
//
//   Element            a number as it lies in the caller's tensors; `wide` and `narrow` convert it
//   Word, PAIR         PAIR numbers that follow each other in a sum, as one product takes them
//   LANES              numbers in a register; columns come in multiples of it
//   COLUMNS, ROWS      what one `multiply` keeps in registers
//   multiply<R>        sums[r] = sums[r] * keep[r] + left[r] . packed columns
//   pack_columns<D>    rows become columns of packed[D / PAIR][TILE]
//   pack_rows<D>       PAIR rows become one row of D words
//   sizes              the absolute values in words
//   weigh              one row of scores becomes weights of an online softmax
//   add_squares        one row of scores becomes shares, of which the squares are added up
//   root               square roots

#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace {

constexpr int TILE = 128;        // keys per tile
constexpr int MOST_LANES = 16;   // of any `A`; rows of sums are padded by so many
constexpr float LOWEST = -3.0e38f;
constexpr std::align_val_t CACHE_LINE{64};

struct Aligned {
  void operator()(void* p) const { ::operator delete(p, CACHE_LINE); }
};
template <typename T>
using Buffer = std::unique_ptr<T[], Aligned>;
template <typename T>
Buffer<T> buffer(size_t count) {
  return Buffer<T>(static_cast<T*>(::operator new(count * sizeof(T), CACHE_LINE)));
}

// What the functions for Python return.
enum Status { DONE = 0, NOT_MADE_FOR = 1, NO_MEMORY = 2 };

// `work` runs in every thread and is given a function that tells the next item, or -1.
// An exception must not leave a thread, so that a lack of memory is told by the status.
template <typename Work>
Status in_parallel(int threads, int count, Work work) {
  std::atomic<int> next{0};
  std::atomic<Status> status{DONE};
#pragma omp parallel num_threads(threads)
  {
    try {
      work([&] {
        const int item = next++;
        return item < count ? item : -1;
      });
    } catch (const std::bad_alloc&) {
      status = NO_MEMORY;
    }
  }
  return status;
}

}  // namespace
