// Tells, one JSON line per change and at least one per second, what macOS tells its own programs. Runs as the user, changes nothing.
// For `osascript -l JavaScript`: the language is JavaScript with a bridge to Objective-C, without Node.
ObjC.import('AppKit');
ObjC.import('CoreGraphics');

const ANY_INPUT = 0xffffffff;
const HID_STATE = 1;
const ON_SCREEN = 1;
const NO_DESKTOP = 16;
const COVERS = [
  'Window Server',
  'Dock',
  'loginwindow',
  'ScreenSaverEngine',
  'Finder',
  'Notification Center',
  'Control Center',
];

const plain = (reference) => ObjC.deepUnwrap(ObjC.castRefToObject(reference));
const attempt = (ask) => {
  try {
    return ask();
  } catch {
    return null;
  }
};

/** null: not known, as when another user is in front of the screen. */
function locked() {
  const session = plain($.CGSessionCopyCurrentDictionary());
  if (!session?.kCGSSessionOnConsoleKey) return null;
  return Boolean(session.CGSSessionScreenIsLocked);
}

/** A window of the normal layer as large as a screen; where a camera cuts into the screen, the part below it counts as all. */
function fullscreen() {
  const screens = ObjC.unwrap($.NSScreen.screens).map((screen) => ({
    width: screen.frame.size.width,
    height: screen.frame.size.height - (attempt(() => screen.safeAreaInsets.top) || 0),
  }));
  for (const window of plain($.CGWindowListCopyWindowInfo(ON_SCREEN | NO_DESKTOP, 0)) || []) {
    const { Width, Height } = window.kCGWindowBounds;
    if (window.kCGWindowLayer !== 0 || COVERS.includes(window.kCGWindowOwnerName)) continue;
    if (screens.some(({ width, height }) => Width >= width && Height >= height)) {
      return { name: String(window.kCGWindowOwnerName) };
    }
  }
  return null;
}

function processes() {
  return ObjC.unwrap($.NSWorkspace.sharedWorkspace.runningApplications).map((app) => {
    const path = attempt(() => ObjC.unwrap(app.executableURL.path)) || null;
    const name = path ? path.slice(path.lastIndexOf('/') + 1) : ObjC.unwrap(app.localizedName) || '?';
    return [app.processIdentifier, 0, name, path];
  });
}

function say(line) {
  const text = $.NSString.alloc.initWithUTF8String(`${JSON.stringify(line)}\n`);
  $.NSFileHandle.fileHandleWithStandardOutput.writeData(text.dataUsingEncoding($.NSUTF8StringEncoding));
}

let before = { facts: '', list: '', idleMs: Number.POSITIVE_INFINITY, at: 0 };
for (;;) {
  const idleMs = Math.round($.CGEventSourceSecondsSinceLastEventType(HID_STATE, ANY_INPUT) * 1000);
  const facts = { locked: attempt(locked), fullscreen: fullscreen() };
  const running = processes();
  const now = { facts: JSON.stringify(facts), list: JSON.stringify(running), idleMs, at: Date.now() };
  const listed = now.list !== before.list;
  const due = listed || now.facts !== before.facts || idleMs < before.idleMs || Math.abs(now.at - before.at) >= 1000;
  if (due) say(listed ? { idleMs, ...facts, processes: running } : { idleMs, ...facts });
  before = due ? now : { ...before, idleMs };
  // The list of applications changes only while the run loop turns.
  $.NSRunLoop.currentRunLoop.runUntilDate($.NSDate.dateWithTimeIntervalSinceNow(0.15));
}
