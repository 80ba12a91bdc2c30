# Tells, one JSON line per change and at least one per second, what Windows alone knows of its use. Runs as the user, changes nothing.
# Windows PowerShell 5.1, hence C# 5. Keep it short: it travels on a command line of at most 32 KiB.
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

public static class Sense {
  [StructLayout(LayoutKind.Sequential)] struct LastInput { public uint Size; public uint Time; }
  [StructLayout(LayoutKind.Sequential)] struct Rect { public int Left, Top, Right, Bottom; }
  [StructLayout(LayoutKind.Sequential)] struct MonitorInfo { public int Size; public Rect Monitor, Work; public uint Flags; }
  [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)] struct Entry {
    public uint Size, Usage, Pid; public IntPtr Heap; public uint Module, Threads, Parent; public int Priority; public uint Flags;
    [MarshalAs(UnmanagedType.ByValTStr, SizeConst = 260)] public string File;
  }
  [DllImport("user32.dll")] static extern bool GetLastInputInfo(ref LastInput info);
  [DllImport("user32.dll")] static extern IntPtr GetForegroundWindow();
  [DllImport("user32.dll")] static extern bool GetWindowRect(IntPtr window, out Rect rect);
  [DllImport("user32.dll")] static extern IntPtr MonitorFromWindow(IntPtr window, uint flags);
  [DllImport("user32.dll")] static extern bool GetMonitorInfo(IntPtr monitor, ref MonitorInfo info);
  [DllImport("user32.dll")] static extern int GetWindowLong(IntPtr window, int index);
  [DllImport("user32.dll")] static extern uint GetWindowThreadProcessId(IntPtr window, out uint pid);
  [DllImport("user32.dll", CharSet = CharSet.Unicode)] static extern int GetClassName(IntPtr window, StringBuilder name, int size);
  [DllImport("user32.dll")] static extern bool SetProcessDPIAware();
  [DllImport("kernel32.dll")] static extern IntPtr CreateToolhelp32Snapshot(uint flags, uint pid);
  [DllImport("kernel32.dll", CharSet = CharSet.Unicode)] static extern bool Process32FirstW(IntPtr snapshot, ref Entry entry);
  [DllImport("kernel32.dll", CharSet = CharSet.Unicode)] static extern bool Process32NextW(IntPtr snapshot, ref Entry entry);
  [DllImport("kernel32.dll")] static extern IntPtr OpenProcess(uint access, bool inherit, uint pid);
  [DllImport("kernel32.dll", CharSet = CharSet.Unicode)] static extern bool QueryFullProcessImageNameW(IntPtr process, uint flags, StringBuilder path, ref uint size);
  [DllImport("kernel32.dll")] static extern bool CloseHandle(IntPtr handle);
  [DllImport("wtsapi32.dll")] static extern bool WTSQuerySessionInformationW(IntPtr server, int session, int what, out IntPtr buffer, out int bytes);
  [DllImport("wtsapi32.dll")] static extern void WTSFreeMemory(IntPtr buffer);
  [DllImport("powrprof.dll")] static extern int CallNtPowerInformation(int level, IntPtr input, int inputSize, out uint output, int outputSize);

  static readonly Dictionary<uint, string> Paths = new Dictionary<uint, string>();
  static string processes = "", last = "", listed = "";
  static long spoken;

  static string Text(string value) {
    if (value == null) return "null";
    var text = new StringBuilder("\"");
    foreach (char c in value) {
      if (c == '"' || c == '\\') text.Append('\\').Append(c);
      else if (c < ' ') text.Append("\\u").Append(((int)c).ToString("x4"));
      else text.Append(c);
    }
    return text.Append('"').ToString();
  }

  static uint IdleMs() {
    var info = new LastInput { Size = 8 };
    if (!GetLastInputInfo(ref info)) throw new IOException("GetLastInputInfo");
    return unchecked((uint)Environment.TickCount - info.Time);
  }

  // WTSSessionInfoEx: Level, padding, SessionId, SessionState (0: active), SessionFlags (0: locked, 1: not).
  static string Locked() {
    IntPtr buffer; int bytes;
    if (!WTSQuerySessionInformationW(IntPtr.Zero, -1, 25, out buffer, out bytes)) return "null";
    try {
      if (bytes < 20 || Marshal.ReadInt32(buffer, 12) != 0) return "null";
      int flags = Marshal.ReadInt32(buffer, 16);
      return flags == 0 ? "true" : flags == 1 ? "false" : "null";
    } finally { WTSFreeMemory(buffer); }
  }

  static string PathOf(uint pid) {
    string path;
    if (Paths.TryGetValue(pid, out path)) return path;
    IntPtr process = OpenProcess(0x1000, false, pid);
    if (process != IntPtr.Zero) {
      var text = new StringBuilder(1024); uint size = 1024;
      if (QueryFullProcessImageNameW(process, 0, text, ref size)) path = text.ToString();
      CloseHandle(process);
    }
    return Paths[pid] = path;
  }

  static string Processes() {
    IntPtr snapshot = CreateToolhelp32Snapshot(2, 0);
    if (snapshot == new IntPtr(-1)) throw new IOException("CreateToolhelp32Snapshot");
    var all = new List<Entry>(); var key = new StringBuilder();
    try {
      var entry = new Entry { Size = (uint)Marshal.SizeOf(typeof(Entry)) };
      for (bool more = Process32FirstW(snapshot, ref entry); more; more = Process32NextW(snapshot, ref entry)) {
        if (entry.Pid == 0) continue;
        all.Add(entry); key.Append(entry.Pid).Append(entry.File).Append('|');
      }
    } finally { CloseHandle(snapshot); }
    if (key.ToString() == listed) return processes;
    listed = key.ToString();
    var alive = new HashSet<uint>(); var text = new StringBuilder();
    foreach (Entry entry in all) {
      alive.Add(entry.Pid);
      text.Append(text.Length == 0 ? "[" : ",").Append('[').Append(entry.Pid).Append(',').Append(entry.Parent).Append(',')
        .Append(Text(entry.File)).Append(',').Append(Text(PathOf(entry.Pid))).Append(']');
    }
    foreach (uint pid in new List<uint>(Paths.Keys)) if (!alive.Contains(pid)) Paths.Remove(pid);
    return text.Append(']').ToString();
  }

  // A window without a caption, in front, as large as its monitor; the desktop and the shell do not count.
  static string Fullscreen() {
    IntPtr window = GetForegroundWindow(); Rect rect; uint pid;
    if (window == IntPtr.Zero || !GetWindowRect(window, out rect)) return "null";
    var name = new StringBuilder(64); GetClassName(window, name, 64);
    string kind = name.ToString();
    if (kind == "Progman" || kind == "WorkerW" || kind == "Shell_TrayWnd" || kind == "Windows.UI.Core.CoreWindow") return "null";
    if ((GetWindowLong(window, -16) & 0xC00000) == 0xC00000) return "null";
    var info = new MonitorInfo { Size = Marshal.SizeOf(typeof(MonitorInfo)) };
    if (!GetMonitorInfo(MonitorFromWindow(window, 2), ref info)) return "null";
    Rect whole = info.Monitor;
    if (rect.Left > whole.Left || rect.Top > whole.Top || rect.Right < whole.Right || rect.Bottom < whole.Bottom) return "null";
    GetWindowThreadProcessId(window, out pid);
    return "{\"name\":" + Text(Path.GetFileNameWithoutExtension(PathOf(pid) ?? kind)) + "}";
  }

  // SystemExecutionState; ES_DISPLAY_REQUIRED: something keeps the screen awake.
  static string Awake() {
    uint state;
    if (CallNtPowerInformation(16, IntPtr.Zero, 0, out state, 4) != 0) return "null";
    return (state & 2) != 0 ? "true" : "false";
  }

  // Returns after a change, or a second after it last did.
  public static string Next(string slow) {
    SetProcessDPIAware();
    uint before = uint.MaxValue;
    for (;;) {
      string list = Processes();
      uint idle = IdleMs();
      string facts = "\"locked\":" + Locked() + ",\"fullscreen\":" + Fullscreen() + ",\"awake\":" + Awake() + slow;
      long now = Environment.TickCount & long.MaxValue;
      if (list != processes || facts != last || idle < before && before != uint.MaxValue || Math.Abs(now - spoken) >= 1000) {
        string line = "{\"idleMs\":" + idle + "," + facts + (list != processes ? ",\"processes\":" + list : "") + "}";
        processes = list; last = facts; spoken = now;
        return line;
      }
      before = idle;
      Thread.Sleep(100);
    }
  }
}
'@
Add-Type -AssemblyName System.Windows.Forms
try { Add-Type -AssemblyName System.Runtime.WindowsRuntime } catch { }

function Get-Power {
  $status = [System.Windows.Forms.SystemInformation]::PowerStatus
  if ($status.BatteryChargeStatus.HasFlag([System.Windows.Forms.BatteryChargeStatus]::NoSystemBattery)) { return 'none' }
  switch ([string]$status.PowerLineStatus) { 'Online' { return $false } 'Offline' { return $true } default { return $null } }
}
function Get-Metered {
  $link = [Windows.Networking.Connectivity.NetworkInformation, Windows.Networking.Connectivity, ContentType = WindowsRuntime]::GetInternetConnectionProfile()
  if ($null -eq $link) { return 'none' }
  switch ([string]$link.GetConnectionCost().NetworkCostType) { 'Unrestricted' { return $false } 'Unknown' { return $null } default { return $true } }
}
$script:manager = $null
function Get-Playing {
  $type = [Windows.Media.Control.GlobalSystemMediaTransportControlsSessionManager, Windows.Media.Control, ContentType = WindowsRuntime]
  if ($null -eq $script:manager) {
    $wait = [System.WindowsRuntimeSystemExtensions].GetMethods() | Where-Object {
      $_.Name -eq 'AsTask' -and $_.GetParameters().Count -eq 1 -and $_.GetParameters()[0].ParameterType.Name -eq 'IAsyncOperation`1'
    } | Select-Object -First 1
    $task = $wait.MakeGenericMethod($type).Invoke($null, @($type::RequestAsync()))
    if (-not $task.Wait(2000)) { return $null }
    $script:manager = $task.Result
  }
  foreach ($session in $script:manager.GetSessions()) {
    if ([string]$session.GetPlaybackInfo().PlaybackStatus -eq 'Playing') { return [string]$session.SourceAppUserModelId }
  }
  return 'none'
}

$asked = [DateTime]::MinValue
$slow = ''
while ($true) {
  if (([DateTime]::UtcNow - $asked).TotalSeconds -ge 3) {
    $asked = [DateTime]::UtcNow
    $facts = @{ onBattery = $null; metered = $null; playing = $null }
    try { $facts.onBattery = Get-Power } catch { }
    # Older systems lack these two: that is no doubt.
    try { $facts.metered = Get-Metered } catch { $facts.metered = 'none' }
    try { $facts.playing = Get-Playing } catch { $facts.playing = 'none' }
    $slow = ',' + (ConvertTo-Json -Compress $facts).Trim('{', '}')
  }
  [Console]::Out.WriteLine([Sense]::Next($slow))
  [Console]::Out.Flush()
}
