#include "serve/batch/batch.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/base64.h"
#include "core/base/descriptor.h"
#include "core/base/durable.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/live_line.h"
#include "core/base/stop.h"
#include "core/base/strict_json.h"
#include "core/base/text.h"
#include "serve/api/chat_request.h"
#include "serve/api/classify_request.h"
#include "serve/api/completion_request.h"
#include "serve/api/embedding_request.h"
#include "serve/api/generation_fields.h"
#include "serve/api/request_error.h"

namespace trireme::serve {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostLineBytes = std::size_t{64} << 20;

// Lines of requests; empty ones say nothing.
std::vector<std::string> request_lines(const fs::path& path) {
  const std::string text = read_file(path);
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (text.find_first_not_of(" \t\r", begin) < end) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// What decides an answer beside its own line; also tells whether answers of an earlier start belong to these requests.
struct Context {
  TextGenerator& generator;
  Pooling pooling;
  std::uint64_t seed;
  std::set<std::string> seen{};  // custom_id
};

// Of an answer: the same for the same line, answered by the same weights in the same way. So answers of an earlier
// start are known to belong here, or not to.
std::string id_of(const Context& context, const std::string& line) {
  const auto number = [](auto value) { return std::to_string(static_cast<int>(value)); };
  const at::Tensor& weight = context.generator.model().parameters().all().front().value;
  const std::string all = line + "\n" + std::to_string(context.seed) + "\n" + context.generator.weights_hash() + "\n" +
                          number(weight.scalar_type()) + number(context.pooling);
  return "batch_req_" + xxh3_128_hex(all);
}

Json refused(const std::string& id, const Json& custom_id, int status, const std::string& message,
             const std::string& param) {
  Json error = {{"message", message},
                {"type", status == 400 ? "invalid_request_error" : "server_error"},
                {"param", param.empty() ? Json() : Json(param)},
                {"code", nullptr}};
  return {{"id", id},
          {"custom_id", custom_id},
          {"response", {{"status_code", status}, {"body", {{"error", std::move(error)}}}}},
          {"error", nullptr}};
}

/// What an answer used, summed over its choices.
struct Usage {
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
  Json json() const {
    return {{"prompt_tokens", prompt_tokens},
            {"completion_tokens", completion_tokens},
            {"total_tokens", prompt_tokens + completion_tokens}};
  }
};

/// One choice, with `text` in front of what is drawn; where it was interrupted, nothing.
/// @param k          the how-manieth of its prompt
/// @param as_answer  the text as the choice's member
std::optional<Json> choice_of(Context& context, GenerationRequest request, std::int64_t k, bool gives_ids,
                              std::string text, Usage& usage, const std::function<Json(std::string)>& as_answer) {
  request.sampling.seed += static_cast<std::uint64_t>(k);
  const Generation done = context.generator.generate(request, [&](std::string_view piece) {
    text += piece;
    return !stop_requested();
  });
  if (done.reason == "interrupted") return std::nullopt;
  Json choice = {{"index", 0}};
  choice.update(as_answer(std::move(text)));
  choice.update(Json{{"logprobs", nullptr}, {"finish_reason", done.reason}, {"stop_reason", nullptr}});
  if (const auto* const id = std::get_if<std::int64_t>(&done.stop)) choice["stop_reason"] = *id;
  if (const auto* const stop = std::get_if<std::string>(&done.stop)) choice["stop_reason"] = *stop;
  if (gives_ids || !context.generator.has_text()) choice["token_ids"] = done.ids;
  if (k == 0) usage.prompt_tokens += done.prompt_tokens;
  usage.completion_tokens += static_cast<std::int64_t>(done.ids.size());
  return choice;
}

Json answer_of(Context& context, const char* id, const char* object, const std::string& model, Json choices,
               const Usage& usage) {
  for (std::size_t i = 0; i < choices.size(); ++i) choices[i]["index"] = i;
  return {{"id", id + unique_token().substr(0, 24)},
          {"object", object},
          {"created", static_cast<std::int64_t>(std::time(nullptr))},
          {"model", model},
          {"choices", std::move(choices)},
          {"usage", usage.json()},
          {"system_fingerprint", context.generator.weights_hash()}};
}

/// What a request does not say: the model's own way, and a seed made of --seed and the request's name, so that a batch
/// draws the same again.
/// @param max_tokens  where the model does not say it either
GenerationRequest defaults_of(Context& context, const std::string& custom_id, std::int64_t max_tokens) {
  const models::GenerationDefaults& model = context.generator.defaults();
  GenerationRequest defaults{.max_tokens = model.max_tokens.value_or(max_tokens), .sampling = model.sampling};
  const std::string key = std::to_string(context.seed) + "/" + custom_id;
  defaults.sampling.seed = std::stoull(xxh3_128_hex(key).substr(0, 15), nullptr, 16);
  return defaults;
}

// Nothing where it was interrupted.
std::optional<Json> completion(Context& context, const nlohmann::json& body, const std::string& custom_id) {
  const CompletionRequest request = CompletionRequest::parse(body, defaults_of(context, custom_id, 16));
  Usage usage;
  Json choices = Json::array();
  for (const Prompt& prompt : request.prompts)
    for (std::int64_t k = 0; k < request.n; ++k) {
      GenerationRequest one = request.generation;
      one.prompt = prompt;
      auto choice = choice_of(context, std::move(one), k, request.return_token_ids,
                              request.echo ? context.generator.text_of(prompt) : "", usage,
                              [](std::string text) { return Json{{"text", std::move(text)}}; });
      if (!choice) return std::nullopt;
      choices.push_back(std::move(*choice));
    }
  return answer_of(context, "cmpl-", "text_completion", request.model, std::move(choices), usage);
}

std::optional<Json> chat(Context& context, const Json& body, const std::string& custom_id) {
  ChatRequest request = ChatRequest::parse(body, defaults_of(context, custom_id, kMostTokens));
  try {
    request.generation.prompt = context.generator.chat_prompt(request.conversation);
  } catch (const data::jinja::TemplateRaised& refusal) {
    throw RequestError("messages", refusal.message());
  }
  Usage usage;
  Json choices = Json::array();
  for (std::int64_t k = 0; k < request.n; ++k) {
    auto choice = choice_of(context, request.generation, k, request.return_token_ids, "", usage, [](std::string text) {
      return Json{{"message", {{"role", "assistant"}, {"content", std::move(text)}}}};
    });
    if (!choice) return std::nullopt;
    choices.push_back(std::move(*choice));
  }
  return answer_of(context, "chatcmpl-", "chat.completion", request.model, std::move(choices), usage);
}

std::optional<Json> embeddings(Context& context, const nlohmann::json& body) {
  const EmbeddingRequest request = EmbeddingRequest::parse(body, context.generator.model().config().width);
  Json data = Json::array();
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    if (stop_requested()) return std::nullopt;
    const Embedding embedding = context.generator.embed(request.inputs[i], context.pooling);
    tokens += embedding.prompt_tokens;
    Json one = {{"object", "embedding"}, {"index", i}, {"embedding", nullptr}};
    if (request.base64)
      one["embedding"] =
          base64({reinterpret_cast<const char*>(embedding.vector.data()), embedding.vector.size() * sizeof(float)});
    else
      one["embedding"] = embedding.vector;
    data.push_back(std::move(one));
  }
  return Json{{"object", "list"},
              {"data", std::move(data)},
              {"model", request.model},
              {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}},
              {"system_fingerprint", context.generator.weights_hash()}};
}

// As vLLM answers for classes; of labels each token has one, and the lists are theirs.
std::optional<Json> classes(Context& context, const nlohmann::json& body) {
  const ClassifyRequest request = ClassifyRequest::parse(body);
  const models::ModelConfig& model = context.generator.model().config();
  Json data = Json::array();
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    if (stop_requested()) return std::nullopt;
    const Classification found = context.generator.classify(request.inputs[i]);
    tokens += static_cast<std::int64_t>(found.ids.size());
    Json one = {{"index", i}};
    const auto name = [&](const std::vector<float>& row) { return model.labels[Classification::likeliest(row)]; };
    if (model.head == "classes") {
      one["label"] = name(found.probabilities[0]);
      one["probs"] = found.probabilities[0];
    } else {
      one["labels"] = Json::array();
      for (const std::vector<float>& row : found.probabilities) one["labels"].push_back(name(row));
      one["probs"] = found.probabilities;
    }
    one["num_classes"] = model.labels.size();
    if (request.return_token_ids) one["token_ids"] = found.ids;
    data.push_back(std::move(one));
  }
  return Json{{"id", "classify-" + unique_token().substr(0, 24)},
              {"object", "list"},
              {"created", static_cast<std::int64_t>(std::time(nullptr))},
              {"model", request.model},
              {"data", std::move(data)},
              {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}},
              {"system_fingerprint", context.generator.weights_hash()}};
}

nlohmann::json request_of(const std::string& line) {
  if (line.size() > kMostLineBytes)
    throw RequestError("", "the line has ", line.size(), " bytes; at most ", kMostLineBytes, " are allowed");
  try {
    return parse_object(line, "the line", ErrorCode::kBadInput);
  } catch (const Error& error) {
    throw RequestError("", error.what());
  }
}

std::optional<Json> answer_to(Context& context, const std::string& line) {
  Json custom_id;
  const char* asked = "prompt";  // the field that an error of the model is about
  try {
    const nlohmann::json request = request_of(line);
    if (!request.contains("custom_id") || !request["custom_id"].is_string())
      throw RequestError("custom_id", "custom_id must be a text");
    custom_id = request["custom_id"].get<std::string>();
    if (!context.seen.insert(custom_id.get<std::string>()).second)
      throw RequestError("custom_id", "custom_id ", custom_id.dump(), " is given twice");
    if (request.contains("method") && request["method"] != "POST")
      throw RequestError("method", "method must be POST, got ", json_excerpt(request["method"], 40));
    const nlohmann::json url = request.contains("url") ? request["url"] : nlohmann::json();
    if (url != "/v1/completions" && url != "/v1/chat/completions" && url != "/v1/embeddings" && url != "/classify")
      throw RequestError("url", "url must be /v1/completions, /v1/chat/completions, /v1/embeddings or /classify, got ",
                         json_excerpt(url));
    asked = url == "/v1/completions" ? "prompt" : url == "/v1/chat/completions" ? "messages" : "input";
    if (!request.contains("body")) throw RequestError("body", "body is missing");
    const std::string name = custom_id.get<std::string>();
    // Templates see the keys of messages and tools in their order.
    auto body = url == "/v1/chat/completions" ? chat(context, Json::parse(line)["body"], name)
                : url == "/v1/embeddings"     ? embeddings(context, request["body"])
                : url == "/classify"          ? classes(context, request["body"])
                                              : completion(context, request["body"], name);
    if (!body) return std::nullopt;
    return Json{{"id", id_of(context, line)},
                {"custom_id", custom_id},
                {"response", {{"status_code", 200}, {"request_id", unique_token()}, {"body", std::move(*body)}}},
                {"error", nullptr}};
  } catch (const RequestError& error) {
    return refused(id_of(context, line), custom_id, 400, error.what(), error.param());
  } catch (const Error& error) {
    const bool is_theirs = error.code() == ErrorCode::kBadInput || error.code() == ErrorCode::kUsage;
    if (!is_theirs && error.code() != ErrorCode::kNumeric) throw;
    return refused(id_of(context, line), custom_id, is_theirs ? 400 : 500, error.what(), is_theirs ? asked : "");
  } catch (const std::exception& error) {  // more memory than there is, above all
    return refused(id_of(context, line), custom_id, 500, one_line(error.what(), 200), "");
  }
}

bool has_failed(const Json& answer) { return answer["response"]["status_code"] != 200; }

// The part of this batch, held: two starts at once would write over each other's answers.
Descriptor locked(const fs::path& part) {
  Descriptor file(::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0) throw Error(path_error_code(errno), "cannot open ", part.string(), ": ", system_reason(errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorCode::kIo, part.string(), " is held by another start that answers this batch");
  return file;
}

// The answers of an earlier start, whole lines only, and the bytes that they take.
struct Earlier {
  std::vector<Json> answers;
  std::uint64_t bytes = 0;
};

Earlier earlier_answers(const fs::path& part) {
  Earlier earlier;
  if (!fs::exists(part)) return earlier;
  const std::string text = read_file(part);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // cut off
    Json answer = Json::parse(text.substr(begin, end - begin), nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object()) answer = Json::object();
    earlier.answers.push_back(std::move(answer));
    begin = end + 1;
    earlier.bytes = begin;
  }
  return earlier;
}

}  // namespace

BatchResult answer_batch(TextGenerator& generator, const BatchOptions& options) {
  if (fs::exists(options.out))
    throw Error(ErrorCode::kUsage, options.out.string(), " exists; choose a name that is free");
  const std::vector<std::string> lines = request_lines(options.in);
  fs::path part = options.out;
  part += ".part";
  Context context{generator, options.pooling, options.seed};
  const Descriptor lock = locked(part);
  const Earlier earlier = earlier_answers(part);
  if (earlier.answers.size() > lines.size())
    throw Error(ErrorCode::kBadInput, part.string(), " holds ", earlier.answers.size(), " answers; ",
                options.in.string(), " has ", lines.size(), " requests: take it away to begin anew");
  BatchResult result;
  OutputFile file(part, "batch", OutputFile::Open::kExisting);
  std::uint64_t at = 0;
  const auto begin = std::chrono::steady_clock::now();
  LiveLine progress;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i < earlier.answers.size()) {
      const Json& answer = earlier.answers[i];
      if (answer.value("id", "") != id_of(context, lines[i]))
        throw Error(ErrorCode::kBadInput, part.string(), " was begun with other requests, weights or options: line ",
                    i + 1, " is no answer to line ", i + 1, " of ", options.in.string(),
                    "; take it away to begin anew");
      if (answer["custom_id"].is_string()) context.seen.insert(answer["custom_id"].get<std::string>());
      ++(has_failed(answer) ? result.failed : result.answered);
      at = earlier.bytes;
      continue;
    }
    const auto answer = stop_requested() ? std::nullopt : answer_to(context, lines[i]);
    if (!answer) {
      result.complete = false;
      break;
    }
    const std::string line = json_text(*answer) + "\n";
    file.write_at(at, line.data(), line.size());
    at += line.size();
    ++(has_failed(*answer) ? result.failed : result.answered);
    if (const Json& body = (*answer)["response"]["body"]; body.contains("usage")) {
      result.prompt_tokens += body["usage"]["prompt_tokens"].get<std::int64_t>();
      result.tokens += body["usage"].value("completion_tokens", std::int64_t{0});
    }
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto done = static_cast<double>(i + 1 - earlier.answers.size());
    if (!progress.due() && i + 1 < lines.size()) continue;
    progress.show(static_cast<double>(i + 1) / static_cast<double>(lines.size()),
                  std::to_string(i + 1) + " of " + std::to_string(lines.size()) + " requests, " +
                      count_text(static_cast<double>(result.tokens) / result.seconds) + " tokens/s, " +
                      duration_text(result.seconds / done * static_cast<double>(lines.size() - i - 1)) + " left");
  }
  file.sync();
  file.close();
  // A line that was cut off is written over, and may have been longer than what came in its place.
  fs::resize_file(part, at);
  if (result.complete) {
    if (!move_new(part, options.out, "batch"))
      throw Error(ErrorCode::kUsage, options.out.string(), " exists by now; the answers are in ", part.string());
    sync_folder(fs::absolute(options.out).parent_path(), "batch");
  }
  return result;
}

}  // namespace trireme::serve
