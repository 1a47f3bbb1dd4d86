// The page's server: it has the key, and mints short-lived ones for the page.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';

const { PAGE_PORT = 8088, REALTIME_BASE_URL, REALTIME_API_KEY } = process.env;
const session = {
  type: 'realtime',
  model: 'gpt-realtime',
  tools: [{ type: 'function', name: 'get_price', parameters: { type: 'object', properties: {} } }],
};

async function mint() {
  const answer = await fetch(`${REALTIME_BASE_URL}/realtime/client_secrets`, {
    method: 'POST',
    headers: { 'api-key': REALTIME_API_KEY, 'Content-Type': 'application/json' },
    body: JSON.stringify({ session, expires_after: { anchor: 'created_at', seconds: 60 } }),
  });
  if (!answer.ok) return [answer.status, {}];
  const { value } = await answer.json();
  return [200, { key: value, url: `${REALTIME_BASE_URL}/realtime/calls` }];
}

createServer(async (request, response) => {
  if (request.method === 'POST' && request.url === '/token') {
    const [status, body] = await mint();
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  } else {
    const page = await readFile(new URL('./page.html', import.meta.url));
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
  }
}).listen(Number(PAGE_PORT), '127.0.0.1');
