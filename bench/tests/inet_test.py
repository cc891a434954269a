#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/inet against itself on the loopback: inet_test.py PROGRAM"""
import contextlib
import json
import socket
import subprocess
import sys
import threading
import unittest

PROGRAM = sys.argv.pop(1)
PATIENCE = 60


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _send_without_end(connection):
    with connection, contextlib.suppress(OSError):
        while True:
            connection.sendall(bytes(65536))


class Inet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = str(_free_port())
        cls.server = subprocess.Popen([PROGRAM, "serve", "--port", cls.port])

    @classmethod
    def tearDownClass(cls):
        cls.server.kill()
        cls.server.wait()

    def run_client(self, mode, *options, said=""):
        done = subprocess.run(
            [PROGRAM, mode, "--to", "127.0.0.1", "--port", self.port, "--seconds", "0.5", "--warm", "0.01",
             *options], input=said, capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_streams(self):
        result = self.run_client("stream", "--streams", "3")[-1]
        self.assertEqual((result["mode"], result["streams"]), ("stream", 3))
        self.assertGreater(result["bytes"], 0)
        self.assertGreater(result["hz"], 1e6)

    def test_congestion_control_is_known_to_the_kernel(self):
        self.assertGreater(self.run_client("stream", "--congestion", "reno")[-1]["bytes"], 0)
        done = subprocess.run(
            [PROGRAM, "stream", "--to", "127.0.0.1", "--port", self.port, "--congestion", "no-such"],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot connect", done.stderr)

    def test_datagrams(self):
        result = self.run_client("datagrams", "--size", "100")[-1]
        self.assertEqual(result["size"], 100)
        self.assertGreater(result["received_per_s"], 0)

    def test_there_and_back(self):
        result = self.run_client("pingpong")[-1]
        self.assertGreater(result["per_s"], 0)
        times = [result["rtt_us"][p] for p in ("p50", "p99", "p99.9", "max")]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[0], 0)

    def test_connections(self):
        result = self.run_client("connects", "--streams", "4")[-1]
        self.assertGreater(result["connects_per_s"], 0)
        self.assertEqual(result["failed"], 0)

    def test_what_another_program_sends_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = subprocess.Popen(
                [PROGRAM, "fetch", "--to", "127.0.0.1", "--port", str(listener.getsockname()[1]),
                 "--seconds", "0.5", "--warm", "0", "--steps"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            sender = threading.Thread(target=_send_without_end, args=(listener.accept()[0],))
            sender.start()
            out, _ = client.communicate("\n\n", timeout=PATIENCE)
            sender.join()
        said = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([s.get("event") for s in said], ["ready", "measured", None])
        self.assertGreater(said[-1]["bytes"], 0)

    def test_steps(self):
        said = self.run_client("stream", "--steps", said="\n\n")
        self.assertEqual([s.get("event") for s in said], ["ready", "measured", None])

    def test_a_server_that_ends_is_a_failure(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = subprocess.Popen(
                [PROGRAM, "pingpong", "--to", "127.0.0.1", "--port", str(listener.getsockname()[1])],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            listener.accept()[0].close()
            out, err = client.communicate(timeout=PATIENCE)
        self.assertEqual((client.returncode, out), (1, ""))
        self.assertTrue(err.startswith("inet: the connection broke"), err)

    def test_usage(self):
        for words in ([], ["stream"], ["frob", "--to", "127.0.0.1"], ["stream", "--to", "host"],
                      ["stream", "--to", "127.0.0.1", "--streams", "0"], ["serve", "--port", "65536"]):
            done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr.startswith("usage: inet"), words)


if __name__ == "__main__":
    unittest.main()
