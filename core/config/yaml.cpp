#include "core/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

#include "core/base/error.h"

namespace trireme {
namespace {

// Reads past a document and keeps nothing of it.
struct PassOver final : YAML::EventHandler {
  void OnDocumentStart(const YAML::Mark& mark) override { begin = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  YAML::Mark begin;
};

}  // namespace

std::string yaml_place(const std::string& origin, const YAML::Mark& mark) {
  return origin + " line " + std::to_string(mark.line + 1) + " column " + std::to_string(mark.column + 1);
}

// Not YAML::LoadAll: yaml-cpp 0.7 takes what cannot begin a document for an empty one, stays where it is, and so finds
// documents until memory is used up.
YAML::Node load_yaml(const std::string& text, const std::string& origin) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    PassOver document;
    if (parser.HandleNextDocument(document) && parser.HandleNextDocument(document))
      throw Error(ErrorCode::kUsage, "a second YAML document, or what is none, begins at ",
                  yaml_place(origin, document.begin), "; one document is allowed");
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw Error(ErrorCode::kUsage, "not YAML: ", error.msg, " (", yaml_place(origin, error.mark), ")");
  }
}

}  // namespace trireme
