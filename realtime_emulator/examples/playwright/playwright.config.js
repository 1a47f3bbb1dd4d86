import { defineConfig } from '@playwright/test';

// What `pip install realtime-emulator` puts on the PATH, or another command that starts it.
const command = process.env.REALTIME_EMULATOR ?? 'realtime-emulator';
const emulatorPort = Number(process.env.EMULATOR_PORT ?? 8089);
const pagePort = Number(process.env.PAGE_PORT ?? 8088);
const emulator = `http://127.0.0.1:${emulatorPort}`;
process.env.EMULATOR_URL = emulator; // for the fixtures, in Playwright's workers

export default defineConfig({
  testMatch: '*.spec.js',
  // One emulator and one script at a time.
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: `http://127.0.0.1:${pagePort}`,
    permissions: ['microphone'],
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH || undefined,
      args: [
        // A microphone that beeps, in place of a question about the real one.
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
        // Media on 127.0.0.1, also where the machine has no network.
        '--allow-loopback-in-peer-connection',
        ...(process.env.CI || process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
    },
  },
  webServer: [
    { command: `${command} --port ${emulatorPort}`, url: `${emulator}/emulator` },
    {
      command: 'node server.js',
      url: `http://127.0.0.1:${pagePort}`,
      env: { PAGE_PORT: String(pagePort), REALTIME_BASE_URL: `${emulator}/openai/v1`, REALTIME_API_KEY: 'any' },
    },
  ],
});
