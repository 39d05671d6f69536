#include "models/hugging_face/hf_place.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/base/error.h"

namespace trireme::models {
namespace {

// visit(theirs, ours, bytes): stretches of both that hold the same, by their first bytes.
template <class Visit>
void for_stretches(const HfPlace& place, const Parameter& parameter, std::int64_t first, std::int64_t count,
                   std::size_t item, Visit visit) {
  if (parameter.elements() == 0 || count == 0) return;
  const std::int64_t row = parameter.elements() / parameter.shape[0];
  std::size_t ours = 0;
  if (place.transposed) {
    // Ours is [outputs, inputs]: row r is column r of what is ours of theirs. Some rows at a time: else each element
    // would touch another line of memory.
    constexpr std::int64_t kRows = 16;
    for (std::int64_t r0 = 0; r0 < count; r0 += kRows)
      for (std::int64_t c = 0; c < row; ++c)
        for (std::int64_t r = r0; r < std::min(count, r0 + kRows); ++r)
          visit(static_cast<std::size_t>(place.offset + c * place.stride + first + r) * item,
                static_cast<std::size_t>(r * row + c) * item, item);
    return;
  }
  for (std::int64_t at = first * row, end = (first + count) * row; at < end;) {
    const std::int64_t in_run = at % place.run, size = std::min(place.run - in_run, end - at);
    const std::size_t bytes = static_cast<std::size_t>(size) * item;
    visit(static_cast<std::size_t>(place.offset + at / place.run * place.stride + in_run) * item, ours, bytes);
    ours += bytes;
    at += size;
  }
}

}  // namespace

void take_rows(const HfPlace& place, const Parameter& parameter, std::int64_t first, std::int64_t count,
               std::size_t item, const void* theirs, void* ours) {
  const auto* const from = static_cast<const char*>(theirs);
  auto* const to = static_cast<char*>(ours);
  for_stretches(place, parameter, first, count, item,
                [&](std::size_t in_theirs, std::size_t in_ours, std::size_t bytes) {
                  std::memcpy(to + in_ours, from + in_theirs, bytes);
                });
}

void put_rows(const HfPlace& place, const Parameter& parameter, std::int64_t first, std::int64_t count,
              std::size_t item, const void* ours, void* theirs) {
  const auto* const from = static_cast<const char*>(ours);
  auto* const to = static_cast<char*>(theirs);
  for_stretches(place, parameter, first, count, item,
                [&](std::size_t in_theirs, std::size_t in_ours, std::size_t bytes) {
                  std::memcpy(to + in_theirs, from + in_ours, bytes);
                });
}

HfPlace whole_tensor(std::string tensor, const Parameter& parameter) {
  return {std::move(tensor), parameter.shape, 0, parameter.elements(), parameter.elements()};
}

HfPlace rows_of_tensor(std::string tensor, const Parameter& parameter, std::int64_t rows, std::int64_t first) {
  Extents shape = parameter.shape;
  const std::int64_t row = parameter.elements() / shape[0];
  shape[0] = rows;
  return {std::move(tensor), std::move(shape), first * row, parameter.elements(), parameter.elements()};
}

HfPlace usual_place(const Parameter& parameter) { return whole_tensor(usual_name(parameter), parameter); }

std::string usual_name(const Parameter& parameter) {
  constexpr std::pair<std::string_view, std::string_view> kOutside[] = {
      {"embedding", "model.embed_tokens"}, {"norm", "model.norm"}, {"head", "lm_head"}};
  constexpr std::pair<std::string_view, std::string_view> kInBlocks[] = {
      {"attention-norm", "input_layernorm"},      {"attention.query", "self_attn.q_proj"},
      {"attention.key", "self_attn.k_proj"},      {"attention.value", "self_attn.v_proj"},
      {"attention.output", "self_attn.o_proj"},   {"attention.query-norm", "self_attn.q_norm"},
      {"attention.key-norm", "self_attn.k_norm"}, {"feed-forward-norm", "post_attention_layernorm"},
      {"feed-forward.gate", "mlp.gate_proj"},     {"feed-forward.up", "mlp.up_proj"},
      {"feed-forward.down", "mlp.down_proj"}};
  const auto [layer, part] = split_block_name(parameter.name);
  const std::size_t dot = part.rfind('.');
  const std::string kind(part.substr(dot));  // ".weight", ".bias"
  const auto named = [&](std::span<const std::pair<std::string_view, std::string_view>> table) -> std::string {
    for (const auto& [ours, theirs] : table)
      if (ours == part.substr(0, dot)) return std::string(theirs) + kind;
    throw Error(ErrorCode::kBug, "no usual name of ", parameter.name);
  };
  return layer < 0 ? named(kOutside) : "model.layers." + std::to_string(layer) + "." + named(kInBlocks);
}

}  // namespace trireme::models
