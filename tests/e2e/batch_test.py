"""Batches of requests, and models that leave and come back: what is answered, refused by name, resumed."""
import base64
import json
import signal
import struct
import time

import trireme
from trireme import MODEL, SERVE, Case, Job, checkpoint, run


def request(custom_id, **body):
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/completions", "body": {"model": "any", "temperature": 0, **body}}


class Batch(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = cls.new_run()
        cls.result = cls().train(1, cls.trained, {"steps": 40, "eval.every-steps": 0})
        cls.exported = cls.new_run("exported")
        result = run([MODEL, "export", cls.trained, cls.exported])
        assert result.status == 0, result

    def batch(self, requests, model=None, out=None, status=0, flags=()):
        folder = self.new_run("batch")
        folder.mkdir()
        (folder / "requests.jsonl").write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in requests))
        out = out or folder / "answers.jsonl"
        result = run([SERVE, model or self.trained, "--batch", folder / "requests.jsonl", "--out", out, "--json", *flags])
        self.assertEqual(result.status, status, result)
        return [json.loads(line) for line in out.read_text().splitlines()] if status == 0 else result

    def body(self, answer):
        self.assertEqual(answer["response"]["status_code"], 200, answer)
        return answer["response"]["body"]

    def test_a_batch_says_what_single_prompts_do(self):
        single = run([SERVE, self.trained, "--prompt", "The king ", "--temperature", 0, "--max-tokens", 20, "--json"])
        answers = self.batch([request("x", prompt="The king ", max_tokens=20, return_token_ids=True),
                              request("y", prompt=["The king ", "A ship "], max_tokens=20)])
        self.assertEqual([answer["custom_id"] for answer in answers], ["x", "y"])
        first, second = map(self.body, answers)
        self.assertEqual(first["choices"][0]["text"], single.json["text"])
        self.assertEqual(second["choices"][0]["text"], single.json["text"])
        self.assertEqual([choice["index"] for choice in second["choices"]], [0, 1])
        self.assertEqual(len(first["choices"][0]["token_ids"]), first["usage"]["completion_tokens"])
        self.assertEqual(first["system_fingerprint"], self.result.json["weights_hash"])
        self.assertEqual(first["model"], "any")

    def test_embeddings_are_vectors_of_length_one_in_both_formats(self):
        def line(custom_id, **body):
            return request(custom_id, **body) | {"url": "/v1/embeddings", "body": {"model": "any", **body}}
        text, ids, both, coded, refused, wrong = self.batch([
            line("a", input="The king "), line("b", input=[5, 6, 7]), line("c", input=["The king ", "A ship "]),
            line("d", input="The king ", encoding_format="base64"), line("e", input=[999999]), line("f", input="x", dimensions=3)])
        first = self.body(text)["data"][0]["embedding"]
        self.assertEqual(len(first), 32)
        self.assertAlmostEqual(sum(number * number for number in first), 1, places=5)
        self.assertEqual(self.body(both)["data"][0]["embedding"], first)
        self.assertEqual([one["index"] for one in self.body(both)["data"]], [0, 1])
        self.assertNotEqual(self.body(both)["data"][1]["embedding"], first)
        self.assertEqual(self.body(ids)["usage"], {"prompt_tokens": 3, "total_tokens": 3})
        raw = base64.b64decode(self.body(coded)["data"][0]["embedding"])
        self.assertEqual(list(struct.unpack(f"<{len(raw) // 4}f", raw)), [struct.unpack("<f", struct.pack("<f", number))[0] for number in first])
        for answer, named in ((refused, "999999"), (wrong, "dimensions")):
            self.assertEqual(answer["response"]["status_code"], 400)
            self.assertIn(named, answer["response"]["body"]["error"]["message"])
        mean = self.batch([line("a", input="The king ")], flags=["--pooling", "mean"])[0]
        self.assertNotEqual(self.body(mean)["data"][0]["embedding"], first)
        own = self.batch([line("a", input="The king ")], flags=["--pooling", "own"])[0]
        self.assertIn("makes no vector", own["response"]["body"]["error"]["message"])

    def test_ids_are_answered_like_their_text_and_stops_end_an_answer(self):
        plain = self.body(self.batch([request("x", prompt="The king ", max_tokens=30, return_token_ids=True)])[0])
        text, ids = plain["choices"][0]["text"], plain["choices"][0]["token_ids"]
        middle = text[len(text) // 2:len(text) // 2 + 3]
        stopped, by_id, unbiased = map(self.body, self.batch([
            request("a", prompt="The king ", max_tokens=30, stop=[middle]),
            request("b", prompt="The king ", max_tokens=30, stop_token_ids=[ids[3]], return_token_ids=True),
            request("c", prompt="The king ", max_tokens=30, ignore_eos=True, echo=True)]))
        self.assertEqual(stopped["choices"][0]["text"], text[:text.find(middle)])
        self.assertEqual((stopped["choices"][0]["finish_reason"], stopped["choices"][0]["stop_reason"]), ("stop", middle))
        self.assertEqual(by_id["choices"][0]["token_ids"], ids[:ids.index(ids[3]) + 1])
        self.assertEqual(by_id["choices"][0]["stop_reason"], ids[3])
        self.assertTrue(unbiased["choices"][0]["text"].startswith("The king "))
        self.assertEqual(unbiased["choices"][0]["finish_reason"], "length")

    def test_seeds_decide_draws(self):
        def drawn(answer):
            return [choice["token_ids"] for choice in self.body(answer)["choices"]]
        draws = [request(name, prompt="The ", temperature=1, max_tokens=12, return_token_ids=True, **more)
                 for name, more in (("a", {"seed": 5}), ("b", {"seed": 5}), ("c", {"seed": 5, "n": 3}), ("d", {}), ("e", {}))]
        a, b, c, d, e = map(drawn, self.batch(draws))
        self.assertEqual(a, b)
        self.assertEqual(c[0], a[0])
        self.assertEqual(len({tuple(one) for one in c}), 3)
        self.assertNotEqual(d, e, "each line has a seed of its own")
        self.assertEqual(drawn(self.batch(draws)[3]), d, "which the next start draws again")
        self.assertNotEqual(drawn(self.batch(draws, flags=("--seed", 1))[3]), d)

    def test_what_cannot_be_answered_says_why_and_the_rest_is(self):
        lines = [request("a", prompt=[10 ** 6]), request("a2", prompt="x" * 100000), "no json", request("b", prompt="x", logprobs=3),
                 request("c", prompt="x") | {"url": "/v1/audio"}, {"custom_id": "d"}, request("e", prompt="x", max_tokens=2),
                 request("e", prompt="x"), '{"custom_id":"f","custom_id":"g"}', request("h", prompt="x", max_tokens=-1), "[" * 100000]
        answers = self.batch(lines)
        self.assertEqual(len(answers), len(lines))
        for answer, named in zip(answers, ("vocabulary", "context", "JSON", "logprobs", "/v1/completions", "/v1/completions", None, "twice",
                                           "twice", "max_tokens", "nested")):
            if named is None:
                self.body(answer)
                continue
            self.assertEqual(answer["response"]["status_code"], 400, answer)
            self.assertRegex(answer["response"]["body"]["error"]["message"], named)

    def test_an_interrupted_batch_goes_on(self):
        folder = self.new_run("interrupted")
        folder.mkdir()
        lines = [json.dumps(request(str(number), prompt="The king ", temperature=1, max_tokens=40, ignore_eos=True, return_token_ids=True))
                 for number in range(300)]
        (folder / "requests.jsonl").write_text("\n".join(lines) + "\n")
        command = [SERVE, self.trained, "--batch", folder / "requests.jsonl", "--out", folder / "answers.jsonl", "--json"]
        job = Job(command)
        part = folder / "answers.jsonl.part"
        deadline = time.monotonic() + 60
        while not (part.exists() and part.read_bytes().count(b"\n") >= 5) and time.monotonic() < deadline:
            time.sleep(0.01)
        job.signal(signal.SIGINT)
        self.assertEqual(job.finish(60).status, 75)
        self.assertFalse((folder / "answers.jsonl").exists())
        with open(part, "ab") as file:
            file.write(b'{"custom_id":"cut o')  # as a kill leaves it
        before = part.read_bytes().splitlines()[:-1]
        result = run(command)
        self.assertEqual(result.status, 0, result)
        after = (folder / "answers.jsonl").read_bytes().splitlines()
        self.assertEqual(after[:len(before)], before)
        self.assertLess(len(before), 300)
        self.assertFalse(part.exists())
        whole = self.batch(lines)
        self.assertEqual([self.body(json.loads(line))["choices"] for line in after], [self.body(answer)["choices"] for answer in whole])
        # What belongs to others is left alone.
        part.write_bytes(b"\n".join(before) + b"\n")
        other = self.batch(lines[1:], out=folder / "answers.jsonl", status=2)
        self.assertIn("exists", other.stderr)
        (folder / "answers.jsonl").unlink()
        other = self.batch(lines[1:], out=folder / "answers.jsonl", status=1)
        self.assertIn("was begun with other requests", other.stderr)
        self.assertEqual(part.read_bytes().splitlines(), before)

    def test_an_exported_model_answers_the_same(self):
        lines = [request("x", prompt="The king ", max_tokens=20, return_token_ids=True)]
        here, there = (self.body(self.batch(lines, model=model)[0]) for model in (self.trained, self.exported))
        self.assertEqual(here["choices"], there["choices"])
        self.assertEqual(here["system_fingerprint"], there["system_fingerprint"], "the hash is of the weights, whatever they lie in")
        narrow = self.body(self.batch(lines, model=self.exported, flags=("--type", "bfloat16"))[0])
        self.assertEqual(narrow["system_fingerprint"], here["system_fingerprint"])
        back = self.new_run("imported")
        self.assertEqual(run([MODEL, "import", self.exported, back]).status, 0)
        self.assertEqual(self.body(self.batch(lines, model=back)[0])["choices"], here["choices"])
        self.assertEqual(run([MODEL, "verify", back]).status, 0)
        self.assertEqual(run([MODEL, "inspect", back, "--json"]).json["tokenizer"]["kind"], "BPE")

    def test_what_is_no_such_model_is_named(self):
        folder = self.new_run("strange")
        config = json.loads((self.exported / "config.json").read_text())
        for change, named in (({"model_type": "lama"}, "did you mean llama"), ({"no_such_option": 3}, "no_such_option"),
                              ({"hidden_act": "mish"}, "hidden_act"), ({"num_hidden_layers": 10 ** 12}, "num_hidden_layers"),
                              ({"hidden_size": config["hidden_size"] * 2}, "shape"), ({"num_hidden_layers": 1}, "no part of the model"),
                              ({"num_hidden_layers": config["num_hidden_layers"] + 1}, "has no tensor"),
                              ({"quantization_config": {"bits": 4}}, "quantization_config"), ({"head_dim": -4}, "head-width"),
                              ({"vocab_size": 2 ** 40}, "vocab_size"), ({"rope_scaling": {"rope_type": "new", "factor": 2}}, "rope_type")):
            folder.mkdir(exist_ok=True)
            for file in self.exported.iterdir():
                if not (folder / file.name).exists():
                    (folder / file.name).symlink_to(file)
            (folder / "config.json").unlink()
            (folder / "config.json").write_text(json.dumps(config | change))
            for command in ([SERVE, folder, "--prompt", "x"], [MODEL, "inspect", folder], [MODEL, "import", folder, self.folder / "none"]):
                result = run(command)
                self.assertEqual(result.status, 1, result)
                self.assertEqual(len(result.lines), 1, result)
                self.assertIn(named, result.stderr)
            self.assertFalse((self.folder / "none").exists())
        (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": 10 ** 6}))
        result = run([SERVE, folder, "--prompt", "x", "--max-tokens", 3])
        self.assertEqual(result.status, 0, result)
        self.assertIn("eos_token_id 1000000 lies outside", result.stderr)
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(b"x")
        self.assertIn("a pickle", run([MODEL, "inspect", folder]).stderr)

    def test_nothing_is_written_over(self):
        for command in ([MODEL, "export", self.trained, self.exported], [MODEL, "import", self.exported, checkpoint(self.trained, 40)]):
            result = run(command)
            self.assertEqual((result.status, len(result.lines)), (2, 1), result)
            self.assertIn("exists", result.stderr)


if __name__ == "__main__":
    trireme.main()
