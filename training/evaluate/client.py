"""The little of Easel's GraphQL API that evaluation needs."""

import io
import json
import urllib.request
from urllib.parse import urljoin

from PIL import Image

DEFAULT_URL = 'http://127.0.0.1:4000/graphql'
GENERATE = """
mutation Draw($input: GenerateInput!) {
  generate(input: $input) { generation { id status failure { message } images { url(format: PNG) } } }
}"""
LOOK = 'query Look($id: ID!) { generation(id: $id) { id status failure { message } images { url(format: PNG) } } }'
UNFINISHED = ('QUEUED', 'RUNNING')


def query(url: str, document: str, variables: dict) -> dict:
    body = json.dumps({'query': document, 'variables': variables}).encode()
    headers = {'content-type': 'application/json', 'apollo-require-preflight': 'true'}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=120) as response:
        answer = json.load(response)
    if answer.get('errors'):
        raise RuntimeError(answer['errors'][0]['message'])
    return answer['data']


def draw(url: str, prompt: str, seed: int, **settings) -> Image.Image:
    """One picture, waited for."""
    asked = {'input': {'settings': {'prompt': prompt, 'seed': seed, **settings}, 'waitSeconds': 60}}
    generation = query(url, GENERATE, asked)['generate']['generation']
    while generation['status'] in UNFINISHED:
        generation = query(url, LOOK, {'id': generation['id']})['generation']
    if generation['status'] != 'SUCCEEDED':
        raise RuntimeError(f'{prompt!r}: {generation["status"]}, {generation["failure"]}')
    with urllib.request.urlopen(urljoin(url, generation['images'][0]['url']), timeout=60) as response:
        return Image.open(io.BytesIO(response.read())).convert('RGB')
