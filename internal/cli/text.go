package cli

// What a learner reads. {cmd} stands for the way the program is started. Counts
// stand after a colon or as "1 of 4", so that no language needs a plural.

// Marks at the beginning of a line.
const (
	markPassed  = "✓"
	markTried   = "·"
	markWrong   = "✗"
	markCurrent = "▶"
)

// Errors and what to do about them.
const (
	textErrorLabel   = "Error:"
	textWarningLabel = "Warning:"
	textError        = textErrorLabel + " %v\n"

	textFixRoot       = "Change to the folder you cloned, or any folder in it:\n  cd brokerdojo"
	textFixCourse     = "A file of the course is damaged or missing. If you changed it by accident, get it back:\n  git checkout -- <file>"
	textFixPermission = "The program keeps what it remembers in .brokerdojo in the course's folder. Make that folder yours and writable,\nor clone the course into your home folder."
	textFixNewer      = "Update the course:\n  git pull"
	textFixBusy       = "End the other command, if one hangs, and try again."
	textFixFlag       = "See what it takes:\n  %s --help"

	textTooMany      = "%s does not take %q"
	textTooFew       = "%s needs one argument: %s"
	textFixArguments = "It is typed like this:\n  %s\nSee more:\n  %s --help"

	textSetAside = "the progress file was damaged. It is kept as %s, and progress starts anew.\n  (%v)\n"

	textUnknownVerb = "there is no verb %q"
	textFixVerbNear = "Did you mean: %s?"
	textFixVerb     = "See all verbs:\n  {cmd} help"

	textAllPassed            = "everything is passed, so there is no current exercise"
	textFixAllPassed         = "Name one:\n  {cmd} check 1/2"
	textFixExerciseNone      = "See all exercises:\n  {cmd} list"
	textFixExerciseNear      = "Did you mean:"
	textFixExerciseAmbiguous = "Type more of the name. It may be:"

	textNoSuchWeek      = "there is no week %q"
	textFixWeekName     = "The weeks are 1 to 14."
	textWeekToCome      = "week %d is still to come"
	textWeekWithoutQuiz = "week %d has no quiz yet"
	textFixWeek         = "See what is there:\n  {cmd} list"
	textFixWeekExercise = "To read an exercise, type:"
	textNoQuiz          = "no week has a quiz"
)

// Where the learner is.
const (
	textTitle           = "Brokerdojo: message brokers, learned by building on them"
	textWhere           = "You are in week %d, %s. Passed: %d of %d."
	textNextExercise    = "%s  %s (%d min)"
	textOpen            = "edit"
	textText            = "task"
	textThreeVerbs      = "Three verbs to know:"
	textVerbRead        = "what to build, and why"
	textVerbCheck       = "is it right? If not: what happened, and why"
	textVerbHint        = "the next hint"
	textAllVerbs        = "All verbs: {cmd} help"
	textStatusAllPassed = "You have passed every exercise that there is so far. {cmd} report writes what a mentor needs."
	textAfter           = "Comes after: %s"
	textObjectives      = "You will be able to:"
	textNextVerbs       = "Read the task with {cmd} read, write the code, then {cmd} check (or {cmd} watch)."
)

// list.
const (
	textLevel          = "Level %d: %s (%s h)"
	textWeekLine       = "Week %d: %s. Passed: %d of %d"
	textWeekLineToCome = "Week %d: %s (to come)"
	textMinutes        = "%d min"
	textPassedAfter    = "passed, attempts: %d"
	textTried          = "attempts: %d"
	textQuiz           = "Quiz"
	textQuizQuestions  = "questions: %d"
	textQuizPart       = "answered: %d of %d"
	textQuizDone       = "correct: %d of %d"
	textRowsCovered    = "Curriculum rows covered: %d of %d"
	textToCome         = "to come"
)

// check and watch.
const (
	textChecking       = "Checking %s"
	textFirstTime      = "(the first check compiles the client libraries; later ones take a second)"
	textFixCheck       = "See whether the Go tools work:\n  {cmd} doctor"
	textOurFault       = "This attempt says nothing about your code. Please report the text above."
	textNotStarted     = "Replace the lab.TODO calls in %s, then check again. Stuck? {cmd} hint%s"
	textAfterWrong     = "Change it and check again. Stuck? {cmd} hint%s"
	textCompare        = "Compare with the reference: {cmd} solution %s"
	textWeekPassed     = "Week %[1]d is passed. Its quiz: {cmd} quiz %[1]d"
	textNextIs         = "Next: %s, %s. Begin with {cmd} next"
	textWatching       = "Watching %s. Save a file in its folder to check it."
	textNoFileEvents   = "No file events here (%v): looking for changes several times a second instead."
	textWatchCheck     = "%s  %s"
	textWatchKeys      = "h hint   r re-run   n next   l list   q quit"
	textWatchNotPassed = "Not passed yet. N (capital) leaves it for later."
	textWatchLast      = "This is the last one that is not passed."
)

// hint, solution and reset.
const (
	textHint         = "Hint %d of %d for %s"
	textNoHintYet    = "No hint of %s was shown yet. The first: {cmd} hint%s"
	textHintLast     = "That was the last hint. See all again: {cmd} hint%s --shown"
	textHintsOver    = "There are no more hints. See all again: {cmd} hint%[1]s --shown. See the reference: {cmd} solution%[1]s --spoil"
	textNotPassedYet = "%s is not passed yet"
	textFixSpoil     = "Pass it first. If you really want to see the reference now:\n  {cmd} solution %s --spoil"
	textFixReset     = "Put the starter back:\n  {cmd} reset %s"
	textSolutionDiff = "From yours to the reference:"
	textSolutionSame = "No difference."
	textReset        = "%s is the starter again. What you had is kept in\n  %s"
	textResetNothing = "%s is the starter already: nothing to reset."
)

// quiz.
const (
	textQuizTitle    = "Week %d quiz: %s"
	textQuizResumed  = "Going on. Answered already: %d of %d."
	textQuizKeys     = "Type letters and press Enter. q stops; your answers are kept."
	textQuestion     = "Question %d of %d"
	textAnswerOne    = "Your answer:"
	textAnswerMany   = "Your answers (pick %d):"
	textCorrect      = "Correct."
	textIncorrect    = "Not correct."
	textSource       = "Source: %s, %s (checked %s)"
	textQuizStopped  = "Your answers are kept. Go on with: {cmd} quiz %d"
	textScore        = "Correct: %d of %d"
	textQuizAgain    = "Once more, from the start: {cmd} quiz %d --again"
	textSeveralRows  = "A question may count for several rows."
	textAgainAndJSON = "--again asks questions and --json does not: use one of them"
)

// up and env.
const (
	textUp          = "The local cloud is running (process %d, started in %d ms). It listens on this machine only."
	textService     = "SERVICE"
	textEndpoint    = "ENDPOINT"
	textSetting     = "CLIENT SETTING"
	textPortTaken   = "Ports taken by other programs: %s. Instead %s is at %s."
	textExports     = "For programs in another terminal:"
	textEval        = "Or there, all at once: %s"
	textOtherCloud  = "Another cloud of this course is running. The env verb shows that one, not this one."
	textUpEnd       = "Ctrl-C ends it; nothing in it is kept."
	textDown        = "The local cloud has ended."
	textFixUp       = "See what is in the way:\n  {cmd} doctor"
	textNoService   = "there is no service %q"
	textFixServices = "The services are: %s. Example: --only aws,redis"
	textNoFeature   = "RabbitMQ has no deprecated feature %q that can be permitted here"
	textFixFeature  = "The features are: %s"
	textNoIAM       = "--iam takes no %q"
	textFixIAM      = "Use off (everybody may do everything) or enforce (policies decide)."
	textNoPorts     = "--ports takes no %q"
	textFixPorts    = "Use standard (the usual ports, others where those are taken) or auto (any free ports)."
	textNoCloud     = "no local cloud is running"
	textFixNoCloud  = "Start one in another terminal and leave it open:\n  {cmd} up"
	textNoShell     = "there is no shell %q"
	textFixShell    = "Use one of: %s. (zsh takes what bash takes.)"
)

// report and version.
const (
	textReportTitle   = "Brokerdojo: progress report, %s"
	textReportWritten = "The report is in"
	textReportSend    = "Both say the same; the HTML file opens in any browser, without a network. Send one to your mentor."
	textFixOut        = "Name a folder that you may write to:\n  --out <folder>"
	textVersion       = "brokerdojo %s (%s)"
	textRevision      = "revision %s of %s"
)

// doctor.
const (
	textNotInstalled   = "not installed"
	textNoAnswer       = "no answer within %d s"
	textDoesNotRun     = "does not run: %v"
	textTooOld         = "%s is too old: %s or newer is needed"
	textDockerStopped  = "installed, but its service does not answer"
	textCaches         = "Go's caches"
	textProgressFolder = "Progress folder"
	textDisk           = "Disk"
	textFree           = "%.1f GB free"
	textPorts          = "Ports"
	textPortsFree      = "free: %s"
	textPortsTaken     = "taken: %s"
	textPortsOurs      = "used by your running cloud (process %d)"
	textDoctorFine     = "Everything that the course itself needs is there."
	textDoctorIll      = "Something that the course needs is missing: see the ✗ above."

	forEverything = "needed"
	forUpdates    = "optional: updates of the course"
	forDocker     = "optional: the same brokers in containers"
	forCDK        = "optional: deploying with the CDK"
	forAWS        = "optional: calling the cloud by hand"
	forUp         = "optional: up takes others where these are taken"

	fixCache = "Make %s writable, or move the cache:\n  go env -w %s=<folder>"
	fixDisk  = "Free some space. Go's build cache is often the largest part; empty it with:\n  go clean -cache"
)

// The remedies by platform; linux stands for all that is not named.
var (
	fixGo = map[string]string{
		"linux":   "Install Go 1.26 or newer: https://go.dev/doc/install",
		"darwin":  "Install Go 1.26 or newer:\n  brew install go",
		"windows": "Install Go 1.26 or newer:\n  winget install GoLang.Go",
	}
	fixGit = map[string]string{
		"linux":   "Install it with your package manager, for example:\n  sudo apt install git",
		"darwin":  "Install it:\n  xcode-select --install",
		"windows": "Install it:\n  winget install Git.Git",
	}
	fixDocker = map[string]string{
		"linux":   "Install Docker Engine: https://docs.docker.com/engine/install/",
		"darwin":  "Install Docker Desktop: https://docs.docker.com/desktop/setup/install/mac-install/",
		"windows": "Install Docker Desktop: https://docs.docker.com/desktop/setup/install/windows-install/",
	}
	fixDockerStart = map[string]string{
		"linux":   "Start it, and let your user talk to it:\n  sudo systemctl start docker\n  sudo usermod -aG docker $USER    (then log in again)",
		"darwin":  "Start Docker Desktop:\n  open -a Docker",
		"windows": "Start Docker Desktop from the Start menu.",
	}
	fixCompose = map[string]string{
		"linux":   "Install the plugin: https://docs.docker.com/compose/install/linux/",
		"darwin":  "It comes with Docker Desktop: https://docs.docker.com/desktop/setup/install/mac-install/",
		"windows": "It comes with Docker Desktop: https://docs.docker.com/desktop/setup/install/windows-install/",
	}
	fixNode = map[string]string{
		"linux":   "Install Node.js 22 or newer: https://nodejs.org/en/download",
		"darwin":  "Install Node.js 22 or newer:\n  brew install node@22",
		"windows": "Install Node.js 22 or newer:\n  winget install OpenJS.NodeJS.LTS",
	}
	fixAWS = map[string]string{
		"linux":   "Install version 2.13 or newer (older ones need --endpoint-url http://127.0.0.1:4566): https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
		"darwin":  "Install version 2.13 or newer:\n  brew install awscli",
		"windows": "Install version 2.13 or newer:\n  winget install Amazon.AWSCLI",
	}
	fixPorts = map[string]string{
		"linux":   "Nothing to do: up takes other ports and says which. To see who has one:\n  ss -ltnp",
		"darwin":  "Nothing to do: up takes other ports and says which. To see who has one:\n  lsof -nP -iTCP -sTCP:LISTEN",
		"windows": "Nothing to do: up takes other ports and says which. To see who has one:\n  netstat -ano -p tcp",
	}
)

// Help.
const (
	textGroupLearn = "Learn:"
	textGroupCloud = "The local cloud:"
	textGroupMore  = "More:"

	flagJSON      = "print JSON, for a script"
	flagNextSkip  = "leave the current exercise for later"
	flagHintShown = "show the hints seen so far again, and no new one"
	flagSpoil     = "show it although the exercise is not passed"
	flagRows      = "list the curriculum's rows, and what covers each"
	flagAgain     = "forget the answers and start over"
	flagSeed      = "order the choices by this number, the same each time"
	flagOnly      = "services to start, with commas: aws, redis, kafka, rabbitmq (default all)"
	flagPorts     = "standard, or auto for any free ports"
	flagIAM       = "off, or enforce to let IAM policies decide in the AWS services"
	flagPermit    = "RabbitMQ's deprecated features to permit, with commas: transient_nonexcl_queues"
	flagVerbose   = "log what the services do"
	flagUpJSON    = "print one line of JSON once everything is ready"
	flagShell     = "the shell to write for: %s (default: a guess)"
	flagEnvJSON   = "print a JSON object of names and values"
	flagOut       = "folder to write to (default .brokerdojo/report)"
	flagName      = "your name, for the report's first line"
)

// helpText teaches a verb: what it does, when to use it, how.
type helpText struct{ short, long, example string }

const namesHelp = `Exercise names match by their beginning: 03, request, week01/03 and 1/3 all
mean week01/03-request-reply. Without a name it is the exercise whose folder you
are in, or else the current one.`

var helpTexts = map[string]helpText{
	"brokerdojo": {
		short: "Learn message brokers by building on them",
		long: `A course of 14 weeks that grades itself, with a local cloud to run it on. Nothing
to install but Go, no account, no network.

Without a verb it says where you are and what is next. It works in any folder of
the course. But go run . is for the course's own folder: in one below it type
go run github.com/brokerdojo/brokerdojo, or use the command that you built.

Exit codes: 0 done (check: passed), 1 your code does not pass, 2 the command line
makes no sense, 3 the environment or the course itself is at fault, 130 ended by
Ctrl-C. go run turns all but 0 into 1: scripts should build the command first.`,
		example: `
{cmd}  where am I?
{cmd} check  is my code right?
go build -o brokerdojo .  build it once; then: ./brokerdojo check`,
	},
	"next": {
		short: "Show the next exercise",
		long: `Shows the exercise to do now, the file to edit and what you will learn. After a
pass it moves on to the next one.

Use it to begin, and with --skip when you are stuck for good: the exercise is
left for later and comes back at the end.`,
		example: `
{cmd} next
{cmd} next --skip`,
	},
	"read": {
		short: "Read a lesson or an exercise's task in the terminal",
		long: `Shows a week's lesson or what an exercise asks you to build. On a terminal it is
formatted in colour; into a pipe or a file it is plain text.

Start a week with its lesson. Here 1, week1 and week01 are a week; everything else
(01, request, 1/3) is an exercise.

` + namesHelp,
		example: `
{cmd} read 1  the lesson of week 1
{cmd} read 03  the task of week01/03-request-reply
{cmd} read | less  the current task`,
	},
	"check": {
		short: "Check whether an exercise is right",
		long: `Compiles your exercise.go and runs it against a local cloud of its own, in virtual
time, with the trouble that production brings. Says what it saw, what it expected
and the likely cause. The attempt is recorded.

Use it whenever you think you are done, or to see what happens. The first check
compiles the client libraries and takes longer.

` + namesHelp + `

Exit code 0 means passed, 1 not passed, 3 that the check itself failed.`,
		example: `
{cmd} check
{cmd} check 1/3
{cmd} check request --json`,
	},
	"watch": {
		short: "Check again whenever you save",
		long: `Checks the exercise now and each time one of its files changes, until you quit.
Keys: h the next hint, r check again, n the next exercise (N even if this one is
not passed), l the list, q quit. When the input is not a terminal, a key is a
line with that letter.

Use it in a second window beside your editor. It works on shared and network
folders too: where the system reports no changes, it looks for them itself.

` + namesHelp,
		example: `
{cmd} watch
{cmd} watch 1/3`,
	},
	"hint": {
		short: "Show the next hint",
		long: `Hints come in order; each gives away a little more. How many you saw is recorded,
for you and your mentor; nobody counts them against you.

Use it when you do not know what to try next. Read what check says first.

` + namesHelp,
		example: `
{cmd} hint
{cmd} hint 1/3
{cmd} hint --shown  all that you saw so far`,
	},
	"solution": {
		short: "Show the reference solution, and how yours differs",
		long: `Prints the reference and the difference from your file to it. Without a name it
is the exercise you just passed.

Use it after a pass: there is usually something to learn from how somebody else
did it. Before a pass it asks for --spoil, and the report says so.

` + namesHelp,
		example: `
{cmd} solution
{cmd} solution 1/3 --spoil`,
	},
	"reset": {
		short: "Put an exercise's starter back",
		long: `Replaces exercise.go with the starter. What you had is kept in .brokerdojo/backup,
and the path is printed. Attempts and passes stay recorded.

Use it to start over, or to do an exercise a second time.

Exercise names match by their beginning: 03, request, week01/03 and 1/3 all mean
week01/03-request-reply. Here a name is needed.`,
		example: `
{cmd} reset 1/3`,
	},
	"quiz": {
		short: "Answer the questions of a week",
		long: `Asks one question after the other and explains every choice after your answer.
q stops; the next time it goes on where you stopped. At the end it shows the
score for each row of the curriculum.

Use it when the exercises of a week are passed. Answers can come from a pipe, a
line each. --json asks nothing: it prints the questions, your answers and the
score.`,
		example: `
{cmd} quiz  the week you are in
{cmd} quiz 1 --again
{cmd} quiz 1 --json`,
	},
	"list": {
		short: "List the weeks, the exercises and how far you are",
		long: `Shows the 14 weeks with their exercises: ✓ passed, · tried, ▶ the current one.
With --rows it lists the 140 rows of the curriculum instead, each with the
lesson section, exercise or quiz that covers it.`,
		example: `
{cmd} list
{cmd} list --rows
{cmd} list --json`,
	},
	"up": {
		short: "Start the local cloud",
		long: `Starts every broker of the course in one process: AWS, Redis, Kafka, RabbitMQ. They
listen on this machine only. It runs until Ctrl-C; nothing is kept.

Of AWS there are SQS, SNS and Lambda, whose functions run as processes of their
own, and what belongs to them: S3, CloudFormation, CloudWatch, CloudWatch Logs, IAM,
STS, SSM parameters and KMS. The AWS CLI and the CDK CLI use them with the settings
that are printed.

Use it to try a client or a command-line tool by hand. Checks do not need it: each
has a cloud of its own.

The access key that is printed is its account's root and may do everything. With
--iam enforce, the users and roles that you make in IAM may do what their policies
and those of queues, topics, buckets and functions allow, and SNS, S3 and alarms
deliver where the target's policy lets them.

RabbitMQ refuses what version 4.3 does by default. For an old client that declares
queues neither durable nor exclusive: --permit transient_nonexcl_queues

A standard port that another program has is replaced by a free one; the table says
so. For scripts, --json prints one line once everything is ready:
{"ready":true,"endpoints":{...},"env":{...},"pid":...}. End it with SIGTERM to that
pid (go run does not pass signals on).`,
		example: `
{cmd} up
{cmd} up --only aws,redis
{cmd} up --iam enforce
{cmd} up --ports auto --json`,
	},
	"env": {
		short: "Print the settings that point clients to the running cloud",
		long: `Prints the exports for the cloud that up started in this copy of the course, in
the language of your shell. Clients and command-line tools started from that shell
then use the local cloud.`,
		example: `
eval "$({cmd} env)"  bash, zsh
{cmd} env --shell fish | source  fish
{cmd} env --shell powershell | Out-String | Invoke-Expression  PowerShell
{cmd} env --shell cmd > env.cmd && call env.cmd  cmd
{cmd} env --json`,
	},
	"doctor": {
		short: "Look at your machine, and say how to fix what is missing",
		long: `Looks at Go, the disk and the ports, and at what some later parts use: Git, Docker
and Compose, Node.js, the AWS CLI. Each comes with its fix for your system.

Use it when something does not work. Only what is marked needed is needed: the
course runs without Docker. The exit code is 3 when something needed is missing.`,
		example: `
{cmd} doctor
{cmd} doctor --json`,
	},
	"report": {
		short: "Write what a mentor needs to review your work",
		long: `Writes what you did as a Markdown page and as one HTML file: attempts, findings,
hints, quiz results, and your code as differences from the starters. Nothing is
sent anywhere.

Use it at the end of a week or a level.`,
		example: `
{cmd} report --name "Ada"
{cmd} report --out /tmp/review
{cmd} report --json`,
	},
	"completion": {
		short: "Have your shell complete verbs and exercises",
		long: `Prints a script for the shell, which completes the built command. So build it:
  go build -o brokerdojo .

Then type this, or add it to the file that the shell reads when it starts, with
the whole path of the command:
  bash        source <(./brokerdojo completion bash)
  zsh         source <(./brokerdojo completion zsh)
  fish        ./brokerdojo completion fish | source
  PowerShell  ./brokerdojo completion powershell | Out-String | Invoke-Expression

bash needs its package bash-completion, and zsh its compinit. More, for example:
brokerdojo completion bash --help`,
	},
	"version": {
		short: "Print the version",
		long:  `Prints the version and the Go version it was built with, for a bug report.`,
		example: `
{cmd} version --json`,
	},
}
