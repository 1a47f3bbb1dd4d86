/**
 * The types that a call's modules share. No browser loads this file.
 */
import type { Access } from './access.js';
import type { Attempt } from './attempt.js';
import type { CallReports } from './call-reports.js';
import type { Capture } from './capture.js';
import type { CallProblem } from './problems.js';

export type VoiceApi = 'realtime' | 'live';

export type Activity = 'listening' | 'hearing' | 'thinking' | 'answering' | 'looking_up';

export type ClientEvent = { type: string; [field: string]: unknown };

export type ServerEvent = { [field: string]: any; type: string };

export type CallState =
  | { status: 'idle' }
  | { status: 'preparing' }
  | { status: 'connecting' }
  | {
      status: 'live';
      /** Epoch milliseconds. */
      since: number;
      /** False during an interruption that may still recover. */
      steady: boolean;
      /** When it is over at the latest, epoch milliseconds, once that is known. */
      endsAt?: number;
      /** On standby until the user speaks (Live). */
      paused?: true;
      /** The connection is lost, and the conversation is being taken into a new call. */
      reconnecting?: true;
    }
  | { status: 'ending' }
  | {
      status: 'ended';
      /** `closed`: the other side ended it. */
      reason: 'stopped' | 'closed';
      /** How long it was live. */
      seconds: number;
      /** Of a call that the other side ended: the service's word for why (Live, where the profile lets the page see it). */
      closeReason?: string;
      /** The broker's word for who ended it, if it was somebody there. */
      endedBy?: string;
    }
  | { status: 'failed'; problem: CallProblem };

export type MicrophoneState = {
  /** Its track is running. */
  captured: boolean;
  muted: boolean;
  /** The server has muted the user, and not because the page asked for it (Live). */
  silenced?: true;
  /** The track has ended: unplugged, or no longer allowed. */
  lost?: true;
  /** The system or the browser sends silence in its place. */
  stalled?: true;
  /** The call wants no microphone. */
  listening?: true;
  /** Push-to-talk, and nobody presses. */
  held?: true;
};

/** Loudness, 0 to 1. */
export type Level = { microphone: number; answer: number };

export type CaptionLine = {
  /** The conversation item's id. */
  id: string;
  who: 'user' | 'assistant';
  /** Empty while a spoken turn is still being transcribed. */
  text: string;
  /** The text is complete. */
  final: boolean;
  /** The user spoke before the answer had finished playing. */
  interrupted: boolean;
  /** Of an interrupted spoken answer: what was heard of it, to a few words. */
  heard?: string;
  /** The rest. */
  unheard?: string;
  /** The user sent a picture. */
  image?: true;
};

/** How long the user waited for an answer. */
export type Turn = {
  latencyMs: number;
  /** When the answer began, epoch milliseconds. */
  at: number;
};

/** Of a connection; null where the browser does not tell. */
export type Quality = {
  roundTripMs: number | null;
  jitterMs: number | null;
  /** Of the answer's packets in about five seconds. */
  lossPercent: number | null;
  at: number;
};

export type LogEntry = {
  id: number;
  /** Epoch milliseconds. */
  at: number;
  /** Who sent it; `call`: what became of it here. */
  from: 'server' | 'client' | 'call';
  type: string;
  /** JSON, masked. */
  detail: unknown;
};

export type Device = {
  id: string;
  /** Empty until a microphone has been allowed. */
  label: string;
};

/** Not every browser tells speakers. */
export type DeviceList = {
  microphones: Device[];
  speakers: Device[];
  /** The id that is chosen, empty for the browser's default. */
  microphone: string;
  /** Likewise. */
  speaker: string;
};

export type CallEvents = {
  statechange: CallState;
  microphone: MicrophoneState;
  /** The whole transcript, in order. */
  caption: readonly CaptionLine[];
  /** Every server event, unchanged. */
  event: ServerEvent;
  /** Fatal if the state is `failed`, otherwise the call goes on. */
  problem: CallProblem;
  level: Level;
  /** The microphones and speakers, and which are chosen. */
  devices: DeviceList;
  /** Who is speaking, as far as the API tells. */
  activity: Activity;
  /** An answer has begun: how long the user waited for it. */
  turn: Turn;
  /** Of the connection, about every second. */
  quality: Quality;
  /** What the log has got. */
  log: LogEntry;
};

/** Milliseconds. */
export type Timeouts = {
  /** For the key, and for the answer to the offer. */
  request: number;
  /** From the answer to the open data channel. */
  media: number;
  /** How long a connection may stay `disconnected` before it counts as lost. */
  interruption: number;
  /** How long `stop` waits for the broker to confirm. */
  hangUp: number;
  /** How long the question for the microphone waits for the broker's word that the caller may call. */
  check: number;
  /** How long a lost call's conversation is tried to be gone on with. */
  reconnect: number;
};

export type CallOptions = {
  /** `connect`: the broker starts the call. `token`: the page starts it, with a short-lived key. */
  mode?: 'connect' | 'token';
  /**
   * The broker's address, if it is not the page's own origin or the one that serves this module; the
   * following URLs are derived from it.
   */
  broker?: string;
  connectUrl?: string;
  tokenUrl?: string;
  /** Where a call started with a key is registered. */
  callsUrl?: string;
  /** The name of a session profile at the broker. */
  profile?: string;
  /** False: listen and type; no microphone is asked for. */
  microphone?: boolean;
  /** Instead of the one that the user has chosen and the browser remembers. */
  microphoneId?: string;
  /** Constraints for the microphone. */
  audio?: MediaTrackConstraints;
  /**
   * The user is heard while `talk(true)` holds. `commit`: for a profile without turn detection, releasing
   * asks for the answer.
   */
  pushToTalk?: boolean | 'commit';
  /** Whether the screen stays on during a call. By default it does. */
  keepAwake?: boolean;
  /**
   * Sent to the broker with each request, e.g. `X-Caller-Token`. If it throws, the call fails with
   * `sign_in_required`.
   */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Whether to go on in a new call after a drop, and before a cap (`connect` alone); true by default. */
  reconnect?: boolean;
  /** Milliseconds between `level` events; 0 for none. */
  levelInterval?: number;
  timeouts?: Partial<Timeouts>;
  /** Browser APIs; replaced in tests. */
  environment?: Partial<Environment>;
};

/** The options with all defaults filled in. */
export type Options = ReturnType<typeof import('./options.js').withDefaults>;

export type Environment = {
  mediaDevices: (Pick<MediaDevices, 'getUserMedia'> & Partial<MediaDevices>) | undefined;
  permissions: Pick<Permissions, 'query'> | undefined;
  /** For the chosen devices. */
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined;
  wakeLock: Pick<WakeLock, 'request'> | undefined;
  document: Document | undefined;
  AudioContext: typeof globalThis.AudioContext | undefined;
  RTCPeerConnection: typeof globalThis.RTCPeerConnection;
  MediaStream: typeof globalThis.MediaStream;
  fetch: typeof globalThis.fetch;
  clock: Clock;
};

export type Clock = {
  /** Milliseconds since the epoch. */
  now: () => number;
  setTimeout: (callback: () => void, ms: number) => any;
  clearTimeout: (timer: any) => void;
};

/** What the parts of a call have in common. */
export type CallParts = {
  access: Access;
  capture: Capture;
  options: Options;
  reports: CallReports;
  newAttempt: () => Attempt;
};

export type BrokerRequest = {
  fetch: typeof globalThis.fetch;
  url: string;
  /** Sent to the broker only, never to the model's endpoint. */
  headers: Record<string, string>;
  signal: AbortSignal;
};

/** An ephemeral key, and the URL to post an offer to. */
export type Key = { value: string; url: string; endpoint: string };

export type Answer = {
  sdp: string;
  /** The call's URL at the broker, or empty. */
  location: string | Promise<string>;
  /** The API that the call speaks; empty if the broker does not say. */
  api: string;
  /** Epoch milliseconds when the call was asked for. */
  askedAt: number;
  /** Of a call that continues another: whether the assistant knows what was said. */
  carried?: boolean;
};

/** A call as the broker has it on record, in times of the page's clock. */
export type CallStatus = {
  /** Who or what ended it; empty while it is live. */
  endedBy: string;
  ended: boolean;
  /** When the broker ends it, or the service. */
  endsAt: number | null;
  /** Until when it can be continued in further calls. */
  conversationEndsAt: number | null;
  /** How often what failed, by the endpoint's code. */
  failures: Record<string, Record<string, number>>;
};

/** Watches an attempt's connection. */
export type Watcher = {
  /** The call is live. */
  ready: () => void;
  /** An interruption has begun or ended. */
  steady: (steady: boolean) => void;
  lost: () => void;
  /** The other side has closed it. */
  closed: () => void;
};

/** What an event changed, besides the properties of the conversation. */
export type News = {
  /** `lines` changed. */
  captions?: boolean;
  problem?: CallProblem | null;
  /** The session is over, for this reason of the API's. */
  closed?: string;
  /** An answer has begun. */
  turn?: Turn;
  /** An answer is: it may have failed. */
  overdue?: boolean;
  /** To be sent now. */
  send?: ClientEvent[];
  /** Ids of messages that have arrived. */
  taken?: string[];
  /** The id of one that has not. */
  refused?: string;
};

/** What to send for a message of the user's. */
export type Message = { id: string; events: ClientEvent[] };

export type Conversation = {
  api: VoiceApi;
  /** The transcript, in order. */
  lines: readonly CaptionLine[];
  activity: Activity;
  /** The session is on standby until the user speaks. */
  paused: boolean;
  /** The server has muted the user, and not at the page's wish. */
  silenced: boolean;
  /** A call may stay `disconnected` for any length of time. */
  outlivesInterruptions: boolean;
  /** It is live only when the peer connection is `connected` too. */
  awaitsPeer: boolean;
  /** A message that arrives is confirmed: one that is not was refused. */
  confirmsMessages: boolean;
  receive: (event: ServerEvent, now: number) => News;
  /** Takes note of what the page sends. */
  sends: (event: ClientEvent, now: number) => News;
  measure: (level: Level, now: number) => News;
  /** The answer's loudness in the last second. */
  hear: (answer: number, now: number) => void;
  /** Milliseconds until `pass` is due; null for never. */
  wait: (now: number) => number | null;
  /** Lets time decide what it can. */
  pass: (now: number) => News;
  /** No more events follow. */
  finish: (now: number) => News;
  /** The answer that is due will not come. */
  fail: (now: number) => void;
  /** What to tell the server. */
  mute: (muted: boolean) => ClientEvent[];
  text: (text: string, now: number) => Message;
  /** Null: the API takes none. */
  image: (url: string, text: string, now: number) => Message | null;
  /** What stops the answer; nothing if the API has no such command. */
  interrupt: () => ClientEvent[];
  /** What to send before leaving. */
  farewell: () => ClientEvent[];
  /** Whether nothing needs to be waited for any more after a farewell. */
  isOver: (event: ServerEvent) => boolean;
};

/** Of a dialogue. */
export type DialogueListener = {
  event: (event: ServerEvent) => void;
  sent: (event: ClientEvent) => void;
  captions: () => void;
  problem: (problem: CallProblem) => void;
  closed: (reason: string) => void;
  silenced: () => void;
  /** What the live state shows has changed. */
  live: () => void;
  activity: (activity: Activity) => void;
  level: (level: Level) => void;
  turn: (turn: Turn) => void;
  quality: (quality: Quality) => void;
  /** An answer is. */
  overdue: () => void;
};

/** What a succession needs of its call. */
export type SuccessionHost = {
  access: Access;
  timeouts: Pick<Timeouts, 'media' | 'interruption' | 'reconnect' | 'request'>;
  /** A new one. */
  attempt: () => Attempt;
  /** Gives it the dialogue of that API. */
  converse: (next: Attempt, api: string) => void;
  /** Goes on with it: it is live. */
  adopt: (next: Attempt, answer: Answer) => void;
  gaveUp: (problem: CallProblem) => void;
};

/** Words of a Live transcript. */
export type Fragment = {
  /** The event's id; empty if it has none. */
  id: string;
  who: 'user' | 'assistant';
  text: string;
  /** On the call's timeline. */
  startMs: number;
  endMs: number;
};

/** Of a Live transcript. */
export type SpokenTurn = {
  id: string;
  who: 'user' | 'assistant';
  text: string;
  startMs: number;
  endMs: number;
  final: boolean;
  interrupted: boolean;
  /** For held words: so far they are nothing but an acknowledgement. */
  mayDrop: boolean;
};

/** What the element knows of its call. */
export type ElementNow = {
  state: CallState;
  /** Whether it was live before. */
  wasLive: boolean;
  microphone: MicrophoneState;
  activity: Activity;
};

export type ElementModel = ElementNow & {
  lines: readonly CaptionLine[];
  takesText: boolean;
  takesImages: boolean;
  /** It may remain without an answer. */
  textIsContext: boolean;
  interruptible: boolean;
  pushToTalk: boolean;
  noMicrophone: boolean;
};

/** What the user does in the element; each is called in the click. */
export type ElementActions = {
  start: () => void;
  stop: () => void;
  mute: () => void;
  talk: (held: boolean) => void;
  interrupt: () => void;
  unlockSound: () => void;
  write: WriteActions;
  sound: SoundActions;
  log: () => Log | null;
};

export type WriteActions = {
  text: (text: string) => void;
  image: (file: Blob, text: string) => void;
};

export type SoundActions = {
  microphone: (id: string) => void;
  speaker: (id: string) => void;
  pushToTalk: (on: boolean) => void;
  noMicrophone: (on: boolean) => void;
  /** Reports the devices until it is stopped. */
  watch: () => () => void;
};

export type Log = { entries: readonly LogEntry[]; text: (entries?: readonly LogEntry[]) => string };

/** Loudness as it is drawn, 0 to 1. */
export type VoiceSample = { at: number; you: number; them: number; muted: boolean };

/** Of a turn, in epoch milliseconds; `to` is 0 while it lasts. */
export type VoiceGap = { from: number; to: number; text: string };

/** Of a Realtime transcript: a conversation item. */
export type CaptionEntry = {
  id: string;
  /** `hidden`: keeps its place in the order but is not shown. */
  who: 'user' | 'assistant' | 'hidden';
  /** Text by `content_index`. */
  parts: Map<number, string>;
  final: boolean;
  interrupted: boolean;
  responseId: string;
  /** The answer is text, without sound. */
  written: boolean;
  image: boolean;
  /** For how long an interrupted answer was played. */
  heardMs: number | null;
};

export type MicrophoneWishes = {
  mediaDevices: Pick<MediaDevices, 'getUserMedia'> | undefined;
  audio: MediaTrackConstraints;
  /** False: the call goes without, until `use` is called. */
  wanted: boolean;
  /** By the user, empty for none. */
  chosen: () => string;
  pushToTalk: boolean;
};

export type MicrophoneListener = { changed: () => void; problem: (problem: CallProblem) => void };

/** A problem in words. */
export type Explanation = {
  /** What happened, for who calls. */
  title: string;
  /** What they can do about it. */
  advice: string;
  /** For who runs the page or the broker; may be empty. What the broker says is English. */
  operator: string;
  /** The request's id in the broker's log; may be empty. */
  reference: string;
  /** Whether to offer signing in. */
  signIn: boolean;
};

/** A file of each language. */
export type Part = 'call' | 'problems' | 'page' | 'diagnosis' | 'admin';

/** Of a text's placeholders; `count` chooses its plural. */
export type Values = Record<string, string | number>;

export type Translation = {
  /** One of `LANGUAGES`. */
  language: string;
  direction: 'ltr' | 'rtl';
  /** The text; the key itself if there is none. */
  t: (key: string, values?: Values) => string;
  /** Whether there is such a text. */
  has: (key: string) => boolean;
  number: (n: number, options?: Intl.NumberFormatOptions) => string;
  /** Of milliseconds since 1970. */
  dateTime: (ms: number, options?: Intl.DateTimeFormatOptions) => string;
  /** As on a clock: 1:05, or 1:02:03. */
  duration: (seconds: number) => string;
};

/** The browser, or a test. */
export type ReaderSurroundings = {
  /** Those that the reader prefers, best first. */
  languages: readonly string[];
  storage: Environment['storage'];
  load: (language: string, part: string) => Promise<Record<string, string>>;
};
