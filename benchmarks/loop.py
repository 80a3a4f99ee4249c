"""What a batch is compared with: a bare loop of threads with an httpx client each, as one would write it."""

import json
import os
import ssl
import sys
import threading

import httpx


def main() -> None:
    """Answer the rows of standard input, `JOBS` at a time, and write an object for each."""
    model, jobs = sys.argv[1], int(sys.argv[2])
    rows, lock = iter(sys.stdin.buffer), threading.Lock()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def work() -> None:
        client = httpx.Client(verify=context, trust_env=False, timeout=None)
        while True:
            with lock:
                row = next(rows, None)
            if row is None:
                return
            given = json.loads(row)
            print(json.dumps({"id": given["id"], "content": ask(client, model, given["prompt"])}), flush=True)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask(client: httpx.Client, model: str, prompt: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
    headers = {"authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    texts = []
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    with client.stream("POST", url, json=body, headers=headers) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                texts += [choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"]]
    return "".join(texts)


if __name__ == "__main__":
    main()
