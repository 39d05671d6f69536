"""Holds our chat templates against transformers and jinja2: equal texts byte for byte, or both refuse.

    .venv/bin/python tests/golden/chat_template_oracle.py build/dev/bin/chat_template_dump
"""
import datetime
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

import jinja2
from transformers.utils import chat_template_utils as reference

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chat_template_cases as cases  # noqa: E402
import chat_template_grammar as grammar  # noqa: E402

# What we refuse by name where jinja2 does not; anything else that differs is a fault.
REFUSALS = ["64 bits", "is not supported", "levels of expressions", "nest deeper than", "names no character", "is no real number", "cannot be sliced", "bounds of a slice", "LoopContext cannot be walked", "types dict_", "and dict_"]
# Python's objects print where they lie.
PLACES = re.compile(r"\b0x7[ef]| method |<function |<class |<built-in|<bound|<jinja2|Cycler|Joiner", re.IGNORECASE)


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 9, 5, 3, 42)


reference.datetime = FixedTime
ENVIRONMENT = reference._compile_jinja_template("").environment


def ask(program, questions):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as file:
        for question in questions:
            file.write(json.dumps(question) + "\n")
        file.flush()
        answer = subprocess.run([program, file.name], check=True, capture_output=True).stdout.decode()
    lines = [json.loads(line) for line in answer.split("\n") if line]
    assert len(lines) == len(questions), f"{len(lines)} answers to {len(questions)} questions"
    return lines


def told(render):
    """What the reference answers, in the form of chat_template_dump."""
    try:
        return {"text": render()}
    except jinja2.exceptions.TemplateError as error:
        return {"raised": error.message or ""} if type(error) is jinja2.exceptions.TemplateError else {"error": repr(error)}
    except Exception as error:  # Python's own
        return {"error": repr(error)}


class Tally:
    def __init__(self, what):
        self.what, self.equal, self.both_fail, self.refused, self.skipped, self.faults = what, 0, 0, 0, 0, []

    def compare(self, shown, ours, theirs):
        if "text" in theirs and PLACES.search(theirs["text"]):
            self.skipped += 1
        elif "text" in theirs and ours.get("text") == theirs["text"] and ours["generated"] == theirs.get("generated", ours["generated"]):
            self.equal += 1
        elif "raised" in theirs and "raised" in ours and " ".join(theirs["raised"].split()) == " ".join(ours["raised"].replace("\\n", "\n").split()):
            self.equal += 1
        elif "error" in theirs and "error" in ours:
            self.both_fail += 1
        elif "error" in ours and any(refusal in ours["error"] for refusal in REFUSALS):
            self.refused += 1
        else:
            self.faults.append((shown, ours, theirs))

    def close(self):
        print(f"{self.what}: {self.equal} equal, both refuse {self.both_fail}, we alone refuse {self.refused} by name, "
              f"{self.skipped} print an object's place, {len(self.faults)} differ")
        for shown, ours, theirs in self.faults[:int(os.environ.get("SHOWN", 12))]:
            print(f"  {shown!r}\n    ours   {ours}\n    theirs {theirs}")
        return not self.faults


def compare_templates(program, what, templates, variables=cases.VARIABLES):
    tally = Tally(what)
    answers = ask(program, [{"template": template, "variables": variables} for template in templates])
    text = json.dumps(variables)
    for template, ours in zip(templates, answers):
        fresh = json.loads(text)  # the filter indent, for one, adds a newline to a list that it is given
        tally.compare(template, ours, told(lambda: ENVIRONMENT.from_string(template).render(**fresh)))
    return tally.close()


def compare_conversations(program):
    tally = Tally(f"{len(cases.templates())} templates of models")
    questions, theirs = [], []
    for name, source in cases.templates().items():
        for conversation in cases.conversations():
            tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
            questions.append({"files": {"chat_template": source, "tokenizer_config": json.dumps(tokens)}, **conversation})
            theirs.append((name, told_of_conversation(source, tokens, conversation)))
    for question, ours, (name, other) in zip(questions, ask(program, questions), theirs):
        shown = {key: value for key, value in question.items() if key != "files"}
        if "text" in other and "text" in ours:  # they count characters, we bytes
            data = ours["text"].encode()
            ours["generated"] = [[len(data[:begin].decode()), len(data[:end].decode())] for begin, end in ours["generated"]]
        tally.compare((name, shown), ours, other)
    return tally.close()


def told_of_conversation(source, tokens, conversation):
    """apply_chat_template without a tokenizer."""
    given = dict(conversation)
    messages = [{key: value for key, value in message.items() if value is not None} for message in given.pop("messages")]
    found = []

    def render():
        going_on = given.get("continue_final_message") or False
        texts, indices = reference.render_jinja_template(
            conversations=[messages], tools=given.get("tools"), documents=given.get("documents"), chat_template=source,
            continue_final_message=going_on, add_generation_prompt=given.get("add_generation_prompt", False),
            return_assistant_tokens_mask=not going_on, **{**tokens, **given.get("extra", {})})
        found.extend([list(pair) for pair in indices[0]] if indices else [])
        return texts[0]

    answer = told(render)
    if "text" in answer and not given.get("continue_final_message"):
        answer["generated"] = found
    return answer


def main():
    warnings.simplefilter("ignore")
    reference.logger.warning_once = lambda *arguments: None
    program = sys.argv[1]
    holds = [
        compare_conversations(program),
        compare_templates(program, "snippets", cases.SNIPPETS),
        compare_templates(program, "white space", cases.white_space()),
        compare_templates(program, "filters", cases.filters()),
        compare_templates(program, "tests", cases.tests()),
        compare_templates(program, "methods", cases.methods()),
        compare_templates(program, "operators", cases.operators()),
        compare_templates(program, "made up", grammar.templates(random.Random(1), 3500)),
    ]
    sys.exit(0 if all(holds) else "differs from jinja2")


if __name__ == "__main__":
    main()
