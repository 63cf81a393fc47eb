// torch.ops.prefix.scan(x): two passes over chunks on torch's own threads.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <vector>

namespace {

struct Carry {
  int32_t odd = 0;
  int32_t sum = 0;
};

struct Effect {
  int32_t kept = 0;   // sum of what counts if an even number of positives came before
  int32_t total = 0;  // sum of all
  int32_t odd = 0;

  Carry after(Carry before) const {
    return {before.odd ^ odd, before.sum + (before.odd ? total - kept : kept)};
  }
};

constexpr int64_t kChunk = 1 << 14;

Effect effect_of(const int32_t* x, int64_t n) {
  Effect e;
  for (int64_t i = 0; i < n; ++i) {
    e.total += x[i];
    e.kept += x[i] & -e.odd;
    e.odd ^= x[i] > 0;
  }
  return e;
}

void fill(const int32_t* x, int32_t* y, int64_t n, Carry c) {
  for (int64_t i = 0; i < n; ++i) {
    c.sum += x[i] & -c.odd;
    c.odd ^= x[i] > 0;
    y[i] = c.sum;
  }
}

at::Tensor scan(const at::Tensor& x) {
  TORCH_CHECK(x.is_contiguous() && x.scalar_type() == at::kInt && x.dim() == 1);
  auto y = at::empty_like(x);
  const int32_t* in = x.const_data_ptr<int32_t>();
  int32_t* out = y.mutable_data_ptr<int32_t>();
  const int64_t n = x.numel(), chunks = (n + kChunk - 1) / kChunk;
  auto size = [&](int64_t k) { return std::min(kChunk, n - k * kChunk); };
  if (chunks < 4) {
    fill(in, out, n, {});
    return y;
  }
  std::vector<Effect> effects(chunks);
  std::vector<Carry> carries(chunks + 1);
  at::parallel_for(0, chunks, 1, [&](int64_t from, int64_t to) {
    for (int64_t k = from; k < to; ++k) effects[k] = effect_of(in + k * kChunk, size(k));
  });
  for (int64_t k = 0; k < chunks; ++k) carries[k + 1] = effects[k].after(carries[k]);
  at::parallel_for(0, chunks, 1, [&](int64_t from, int64_t to) {
    for (int64_t k = from; k < to; ++k) fill(in + k * kChunk, out + k * kChunk, size(k), carries[k]);
  });
  return y;
}

}  // namespace

TORCH_LIBRARY(prefix, m) {
  m.def("scan(Tensor x) -> Tensor", scan);
}
