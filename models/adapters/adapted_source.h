#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "models/model.h"
#include "models/model_source.h"

namespace trireme::models {

/// A model with adapters: they from one source, all other weights from another.
class AdaptedSource final : public ModelSource {
 public:
  /// @param adapters  of a model with adapters (model.lora); need hold nothing else
  /// @param base      of the same shape without them
  AdaptedSource(std::unique_ptr<ModelSource> adapters, std::unique_ptr<ModelSource> base)
      : adapters_(std::move(adapters)), base_(std::move(base)) {}

  const ModelSource& adapters() const { return *adapters_; }
  const ModelSource& base() const { return *base_; }

  std::string where() const override { return adapters_->where(); }
  const std::string& model_json() const override { return adapters_->model_json(); }
  StoredType type(const Parameter& parameter) const override { return of(parameter).type(parameter); }
  void read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const override {
    of(parameter).read_rows(parameter, first, count, out);
  }
  /// Of the adapters, or where they have none of the base.
  std::optional<std::string> companion(const std::string& name) const override;
  /// Of the adapters.
  std::optional<std::string> known_weights_hash() const override { return adapters_->known_weights_hash(); }
  const void* mapped(const Parameter& parameter) const override { return of(parameter).mapped(parameter); }

 private:
  const ModelSource& of(const Parameter& parameter) const { return is_adapter(parameter.name) ? *adapters_ : *base_; }

  const std::unique_ptr<ModelSource> adapters_, base_;
};

/// What adapters make of their base: a model without any, of weights + scale * up . down.
class MergedSource final : public ModelSource {
 public:
  /// @param from  outlives this
  /// @param type  of the weights; nothing: the base's
  explicit MergedSource(const AdaptedSource& from, std::optional<StoredType> type = std::nullopt);

  std::string where() const override { return from_.where(); }
  const std::string& model_json() const override { return model_json_; }
  StoredType type(const Parameter& parameter) const override { return type_.value_or(from_.base().type(parameter)); }
  void read_rows(const Parameter& parameter, std::int64_t first, std::int64_t count, void* out) const override;
  std::optional<std::string> companion(const std::string& name) const override;

 private:
  const AdaptedSource& from_;
  const std::optional<StoredType> type_;
  const std::unique_ptr<Model> adapted_;
  const std::string model_json_;
  std::map<std::string, const Parameter*> adapters_;  // by name
};

}  // namespace trireme::models
