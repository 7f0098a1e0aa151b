%%% @doc The Rust core, as NIFs: stubs and specs, no logic. {@link twitter_path}, {@link
%%% twitter_post}, {@link twitter_roster} and {@link twitter_index} are what other modules call.
%%%
%%% A loaded NIF cannot be replaced in a running node: upgrading the plugin needs a restart.
%%% Arguments of a wrong type raise `badarg'.
-module(twitter_nif).

-export([parse_node/1, parse_disco_node/1, node_id/1, stored_node/1, author_of_stored/1]).
-export([check_draft/5, max_depth/0, text/1, title/1]).
-export([friends/2, batches/2, export/4]).
-export([rates_new/0, take_post/5]).
-export([settings_read/1, settings_write/1, settings_view/2, settings_set/4, settings_mute/4, settings_unmute/2,
         settings_heard/3, settings_share/4]).
-export([commands/1, is_command/1, begin_command/2, stage_form/1, mute_spans/0]).
-export([dialogs_new/0, dialog_open/6, dialog_step/6, dialog_show/5]).
-export([meter_new/0, record/3, summary/2, prometheus/1]).
-export([online_new/0, arrive/4, leave/3, depart/4, take_departure/2, return_departure/3, departed/1,
         sessions/2, all_sessions/1, users_online/1]).
-export([recipients/4, domains/1, next_portion/2, hand_over/5, resume/1, recheck/2]).
-export([rosters_new/1, roster_version/2, roster_load/4, roster_answer/5, roster_changes/2,
         roster_changed/2, rosters_reset/1, rosters_bytes/1, sees/3, remembered_recipients/4,
         remembered_readers/3, remembered_recheck/3]).
-export([index_new/2, set_budgets/3, memory/1, hold_new/0, hold/3, release/1]).
-export([audience_bucket/1, audience_digest/1, audience_is_open/1, audience_unsure/1, audience_assume/4,
         audience_seal/2, audience_next/2, audience_admit/3, audience_dismiss/2, audience_readers/2]).
-export([place_at/3, speaks_for/3, retry_after/1, load_heard/6, put_heard/6, set_heard/4]).
-export([mark_pass/2, mark_run/1, mark_gaps/3, mark_arrive/3, mark_leave/2, mark_push/3, mark_seen/5]).
-export([version/2, load/5, put/6, remove/4, keep_payloads/2, forget/2, forget_all/1, page/6, find/6, missed/7]).
-export_type([jid/0, stored/0, stream/0, node_term/0, payload/0, line/0, index/0, hold/0, version/0,
              request/0, page/0, post/0, online/0, session/0, fanout/0, rosters/0, rates/0,
              dialogs/0, audience/0, rows/0, seq/0, rights/0, command/0, stage/0, action/0, form/0, step/0, effect/0,
              meter/0, summary/0, settings/0, until/0, mark/0, gap/0, arrival/0, departure/0]).
-on_load(load_library/0).
-nifs([parse_node/1, parse_disco_node/1, node_id/1, stored_node/1, author_of_stored/1]).
-nifs([check_draft/5, max_depth/0, text/1, title/1]).
-nifs([friends/2, batches/2, export/4]).
-nifs([rates_new/0, take_post/5]).
-nifs([settings_read/1, settings_write/1, settings_view/2, settings_set/4, settings_mute/4, settings_unmute/2,
       settings_heard/3, settings_share/4]).
-nifs([commands/1, is_command/1, begin_command/2, stage_form/1, mute_spans/0]).
-nifs([dialogs_new/0, dialog_open/6, dialog_step/6, dialog_show/5]).
-nifs([meter_new/0, record/3, summary/2, prometheus/1]).
-nifs([online_new/0, arrive/4, leave/3, depart/4, take_departure/2, return_departure/3, departed/1,
       sessions/2, all_sessions/1, users_online/1]).
-nifs([recipients/4, domains/1, next_portion/2, hand_over/5, resume/1, recheck/2]).
-nifs([rosters_new/1, roster_version/2, roster_load/4, roster_answer/5, roster_changes/2,
       roster_changed/2, rosters_reset/1, rosters_bytes/1, sees/3, remembered_recipients/4,
       remembered_readers/3, remembered_recheck/3]).
-nifs([index_new/2, set_budgets/3, memory/1, hold_new/0, hold/3, release/1]).
-nifs([audience_bucket/1, audience_digest/1, audience_is_open/1, audience_unsure/1, audience_assume/4,
       audience_seal/2, audience_next/2, audience_admit/3, audience_dismiss/2, audience_readers/2]).
-nifs([place_at/3, speaks_for/3, retry_after/1, load_heard/6, put_heard/6, set_heard/4]).
-nifs([mark_pass/2, mark_run/1, mark_gaps/3, mark_arrive/3, mark_leave/2, mark_push/3, mark_seen/5]).
-nifs([version/2, load/5, put/6, remove/4, keep_payloads/2, forget/2, forget_all/1, page/6, find/6, missed/7]).

-type jid() :: binary().
%% A bare JID.
-type item_id() :: binary().
-type stream() :: mine | friends | {friend, jid()}.
-type node_term() :: root | my_friends | {stream, stream()} | {post, {stream(), item_id()}}.
-type payload() :: {text, binary()} | {element, Xml :: binary()}.
-type line() :: {User :: binary(), Server :: binary(), Name :: binary(), none | to | from | both}.
-opaque index() :: reference().
-opaque hold() :: reference().
-type version() :: non_neg_integer().
-type audience() :: binary().
%% The state of a stream that was heard, as it is stored; empty of a new one.
-type rows() :: [{Bucket :: 0..63, binary()}].
%% What each reader may see of it, in parts, as they are stored.
-type seq() :: pos_integer().
-opaque online() :: reference().
-type session() :: {pid(), Resource :: binary()}.
-opaque fanout() :: reference().
-opaque rosters() :: reference().
-opaque rates() :: reference().
-opaque settings() :: reference().
-type until() :: Micros :: non_neg_integer() | forever.
-opaque dialogs() :: reference().
-type rights() :: {HasStream :: boolean(), MayPost :: boolean(), HasSettings :: boolean()}.
%% What a reader may do: whether he is a user of the vhost, may post, has settings.
-type command() :: post | edit | latest | missed | mute | settings.
-type stage() :: {post, {Text :: boolean(), Settings :: boolean()}} | choose_post
               | {edit, {item_id(), Text :: boolean(), Chosen :: boolean()}} | choose_friend
               | {mute, {jid(), Chosen :: boolean()}} | settings
               | {latest, {First :: binary(), Last :: binary(), Prev :: boolean(), Next :: boolean()}} | missed.
%% What the owner of a dialog was shown: which fields there are, whether it was chosen in the stage before, the
%% cursors of a page and whether there is one before and after it.
-type action() :: execute | cancel | prev | next | complete.
-type form() :: none | {submitted, [{Var :: binary(), [Value :: binary()]}]} | canceled | unfit.
-type step() :: canceled | {show, stage()} | {'after' | before, Cursor :: binary()} | {act, [effect()]}.
-type effect() :: {post, Text :: binary()} | {replace, {item_id(), Text :: binary()}} | {delete, item_id()}
                | {mute, {jid(), until()}} | {unmute, jid()}
                | {set, {Pushes :: boolean() | keep, Bodies :: boolean() | keep, CatchUp :: boolean() | keep}}.
-opaque meter() :: reference().
-type summary() :: {Count :: non_neg_integer(), Sum :: non_neg_integer(),
                    {P50 :: non_neg_integer(), P90 :: non_neg_integer(), P99 :: non_neg_integer(),
                     Max :: non_neg_integer()}}.
%% Since the beginning, and of the last five to ten minutes; in microseconds.
-type request() :: {oldest_first | newest_first, anchor(), Limit :: non_neg_integer()}.
-type anchor() :: first_page | last_page | {'after' | before, Cursor :: binary()}
                | {index, non_neg_integer()}.
-type page() :: {[post()], First :: binary(), Last :: binary(),
                 Index :: non_neg_integer(), Count :: non_neg_integer()}.
-type post() :: {Author :: jid(), item_id(), stored() | version()}.
%% A post with its payload, or with the version under which to offer the one that is read.
-type stored() :: binary().
%% A payload as it is kept for whoever stored it: opaque bytes.

-type mark() :: binary().
%% What a reader has not read, as it is stored; empty of whom nothing is.
-type gap() :: {After :: micros(), Until :: micros() | open}.
%% A stretch of time: later than `After', not later than `Until'.
-type arrival() :: {Run :: micros(), Now :: micros(), WasThere :: boolean(), WantsPushes :: boolean()}.
-type departure() :: {After :: micros(), Lost :: [micros()], OnWay :: [micros()], Received :: [micros()]}.
%% Of posts, when they were published: what came later than `After' may not have been sent to him; the next were,
%% and have not arrived; or are on their way to somebody, him too unless he has them; or have arrived.
-type micros() :: non_neg_integer().
%% Since 1970.

-spec load_library() -> ok | {error, term()}.
load_library() ->
    %% The .so lies beside ebin, wherever the plugin was put.
    Ebin = filename:dirname(code:which(?MODULE)),
    erlang:load_nif(filename:join([filename:dirname(Ebin), "priv", "twitter_nif"]), 0).

%% @doc Reads a node id from the wire.
-spec parse_node(Id :: binary()) -> foreign | unknown | node_term().
parse_node(_Id) -> erlang:nif_error(nif_not_loaded).

%% @doc Reads a node id from a service discovery request, where `!' has a meaning.
-spec parse_disco_node(Id :: binary()) -> foreign | unknown | node_term().
parse_disco_node(_Id) -> erlang:nif_error(nif_not_loaded).

%% @doc The wire id of a node of the tree.
-spec node_id(node_term()) -> binary().
node_id(_Node) -> erlang:nif_error(nif_not_loaded).

%% @doc The id of the node that stores the posts of `Author'.
-spec stored_node(Author :: jid()) -> binary().
stored_node(_Author) -> erlang:nif_error(nif_not_loaded).

%% @doc The author whose posts the node stores.
-spec author_of_stored(Id :: binary()) -> {ok, jid()} | {error, no_author}.
author_of_stored(_Id) -> erlang:nif_error(nif_not_loaded).

%% @doc Checks what a publish request holds. `Payload' is the first one.
-spec check_draft(Items :: non_neg_integer(), Id :: binary(), Payloads :: non_neg_integer(),
                  payload(), MaxBytes :: non_neg_integer()) ->
          {ok, checked}
        | {error, no_item | many_items | no_payload | many_payloads | too_deep | not_xml | long_id
                | {too_big, non_neg_integer()}}.
check_draft(_Items, _Id, _Payloads, _Payload, _MaxBytes) -> erlang:nif_error(nif_not_loaded).

%% @doc How deep the elements of a payload may be nested.
-spec max_depth() -> pos_integer().
max_depth() -> erlang:nif_error(nif_not_loaded).

%% @doc The plain text a person reads in a payload.
-spec text(payload()) -> binary().
text(_Payload) -> erlang:nif_error(nif_not_loaded).

%% @doc The same in one short clean line.
-spec title(payload()) -> binary().
title(_Payload) -> erlang:nif_error(nif_not_loaded).

%% @doc The contacts whose presence `Owner' may see, sorted by the name he gave them.
-spec friends(Owner :: jid(), [line()]) -> [{jid(), Name :: binary()}].
friends(_Owner, _Lines) -> erlang:nif_error(nif_not_loaded).

%% @doc Nobody is online yet. It lives as long as somebody holds the reference.
-spec online_new() -> online().
online_new() -> erlang:nif_error(nif_not_loaded).

%% @doc A session of a user can be reached from now on; `false' if that was known.
-spec arrive(online(), User :: binary(), pid(), Resource :: binary()) -> boolean().
arrive(_Online, _User, _Pid, _Resource) -> erlang:nif_error(nif_not_loaded).

%% @doc A session of a user can no longer be reached; `false' if that was known.
-spec leave(online(), User :: binary(), pid()) -> boolean().
leave(_Online, _User, _Pid) -> erlang:nif_error(nif_not_loaded).

%% @doc The same; and if it was his last session, this is how he left, until somebody takes it.
-spec depart(online(), User :: binary(), pid(), departure()) -> boolean().
depart(_Online, _User, _Pid, _Departure) -> erlang:nif_error(nif_not_loaded).

%% @doc How a user left, if nobody has taken that yet.
-spec take_departure(online(), User :: binary()) -> departure() | undefined.
take_departure(_Online, _User) -> erlang:nif_error(nif_not_loaded).

%% @doc Whoever has taken how a user left could do nothing with it: the next one finds it again.
-spec return_departure(online(), User :: binary(), departure()) -> ok.
return_departure(_Online, _User, _Departure) -> erlang:nif_error(nif_not_loaded).

%% @doc Whose departure nobody has taken yet.
-spec departed(online()) -> [User :: binary()].
departed(_Online) -> erlang:nif_error(nif_not_loaded).

%% @doc The sessions of a user, of each resource the one that arrived last.
-spec sessions(online(), User :: binary()) -> [session()].
sessions(_Online, _User) -> erlang:nif_error(nif_not_loaded).

%% @doc All sessions, with their users, also those that another one replaces.
-spec all_sessions(online()) -> [{User :: binary(), session()}].
all_sessions(_Online) -> erlang:nif_error(nif_not_loaded).

%% @doc How many users have a session.
-spec users_online(online()) -> non_neg_integer().
users_online(_Online) -> erlang:nif_error(nif_not_loaded).

%% @doc Notes whom a post of `Author' goes to: the contacts who may see his presence, but for users of
%% the domains in `Here' who are offline. `Hosts' are the domains of this server: of contacts elsewhere only
%% the domains are noted.
-spec recipients(Author :: jid(), [line()], Here :: [{Domain :: binary(), online()}],
                 Hosts :: [binary()]) -> fanout().
recipients(_Author, _Lines, _Here, _Hosts) -> erlang:nif_error(nif_not_loaded).

%% @doc The domains of other servers where somebody lives who may see the author, in order, as his roster had
%% it when the recipients were noted.
-spec domains(fanout()) -> [Domain :: binary()].
domains(_Fanout) -> erlang:nif_error(nif_not_loaded).

%% @doc The next of them, with their sessions as they are now; or that the roster must be asked again
%% before there are more. All who were given out before count as served.
-spec next_portion(fanout(), Here :: [{Domain :: binary(), online()}]) ->
          {portion, [{Number :: non_neg_integer(), User :: binary(), Server :: binary(),
                      [session()] | elsewhere}]} | recheck | done.
next_portion(_Fanout, _Here) -> erlang:nif_error(nif_not_loaded).

%% @doc Sends messages to a session of one of the last portion, by his number, or of the author, before
%% the first portion; but not if it has got its messages already: then `false'. In one step: whoever is
%% killed has done both or none, and another one can go on. To be called in the order of the portion.
-spec hand_over(fanout(), author | non_neg_integer(), Resource :: binary(), pid(), [term()]) -> boolean().
hand_over(_Fanout, _Whom, _Resource, _Pid, _Messages) -> erlang:nif_error(nif_not_loaded).

%% @doc Another one goes on: who has not been served is given out again, once {@link recheck/2} has seen
%% whether he still may get it.
-spec resume(fanout()) -> ok.
resume(_Fanout) -> erlang:nif_error(nif_not_loaded).

%% @doc Of those who are left, keeps the ones whom this roster still lets see the author.
-spec recheck(fanout(), [line()]) -> ok.
recheck(_Fanout, _Lines) -> erlang:nif_error(nif_not_loaded).

%% @doc A memory of rosters; it keeps about so many bytes at most.
-spec rosters_new(MaxBytes :: non_neg_integer()) -> rosters().
rosters_new(_MaxBytes) -> erlang:nif_error(nif_not_loaded).

%% @doc The version of what is known of an author's roster. Ask for it, read the roster, then offer what
%% you read: an offer is `stale' if a change was told meanwhile.
-spec roster_version(rosters(), Author :: jid()) -> version().
roster_version(_Rosters, _Author) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers all who stand in the author's roster with the right to see him.
-spec roster_load(rosters(), Author :: jid(), ReadUnder :: version(), Readers :: [jid()]) ->
          taken | stale.
roster_load(_Rosters, _Author, _ReadUnder, _Readers) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers whether one reader may see the author.
-spec roster_answer(rosters(), Author :: jid(), ReadUnder :: version(), Reader :: jid(),
                    Sees :: boolean()) -> taken | stale.
roster_answer(_Rosters, _Author, _ReadUnder, _Reader, _Sees) -> erlang:nif_error(nif_not_loaded).

%% @doc The author's roster begins to change: until that has ended nothing is remembered of it.
-spec roster_changes(rosters(), Author :: jid()) -> ok.
roster_changes(_Rosters, _Author) -> erlang:nif_error(nif_not_loaded).

%% @doc A change of the author's roster has ended.
-spec roster_changed(rosters(), Author :: jid()) -> ok.
roster_changed(_Rosters, _Author) -> erlang:nif_error(nif_not_loaded).

%% @doc Any roster may have changed.
-spec rosters_reset(rosters()) -> ok.
rosters_reset(_Rosters) -> erlang:nif_error(nif_not_loaded).

%% @doc How much memory is taken, in bytes, about.
-spec rosters_bytes(rosters()) -> non_neg_integer().
rosters_bytes(_Rosters) -> erlang:nif_error(nif_not_loaded).

%% @doc Of each author, whether the reader may see him.
-spec sees(rosters(), Reader :: jid(), Authors :: [jid()]) -> [true | false | unknown].
sees(_Rosters, _Reader, _Authors) -> erlang:nif_error(nif_not_loaded).

%% @doc As {@link recipients/4}, with the roster that is remembered.
-spec remembered_recipients(rosters(), Author :: jid(), Here :: [{Domain :: binary(), online()}],
                            Hosts :: [binary()]) -> {ok, fanout()} | {error, not_loaded}.
remembered_recipients(_Rosters, _Author, _Here, _Hosts) -> erlang:nif_error(nif_not_loaded).

%% @doc Who on a domain may see the author, if his roster is loaded; in no order. Cost: as his roster is long.
-spec remembered_readers(rosters(), Author :: jid(), Domain :: binary()) -> {ok, [jid()]} | {error, not_loaded}.
remembered_readers(_Rosters, _Author, _Domain) -> erlang:nif_error(nif_not_loaded).

%% @doc As {@link recheck/2}, with the roster that is remembered.
-spec remembered_recheck(rosters(), Author :: jid(), fanout()) -> {ok, checked} | {error, not_loaded}.
remembered_recheck(_Rosters, _Author, _Fanout) -> erlang:nif_error(nif_not_loaded).

%% @doc Cuts a list of ids into lists of at most so many bytes.
-spec batches([item_id()], MaxBytes :: pos_integer()) -> [[item_id()]].
batches(_Ids, _MaxBytes) -> erlang:nif_error(nif_not_loaded).

%% @doc All that is stored of a user as JSON; times as XEP-0082 writes them. Who is muted for ever, or has no
%% settings: `undefined'.
-spec export(User :: jid(),
             Settings :: {Pushes :: boolean(), Bodies :: boolean(), CatchUp :: boolean(),
                          Muted :: [{Friend :: jid(), Until :: binary() | undefined}]} | undefined,
             Marks :: [{Host :: binary(), Mark :: binary()}],
             [{item_id(), Published :: binary(), Updated :: binary(), payload()}]) -> binary().
export(_User, _Settings, _Marks, _Posts) -> erlang:nif_error(nif_not_loaded).

%% @doc Nobody has posted yet.
-spec rates_new() -> rates().
rates_new() -> erlang:nif_error(nif_not_loaded).

%% @doc An author wants to post: `Burst' posts at once, then `Refill' a minute. `Now' is in microseconds,
%% the answer to who posts too fast too: then he may.
-spec take_post(rates(), Author :: jid(), Burst :: pos_integer(), Refill :: pos_integer(),
                Now :: non_neg_integer()) ->
          {ok, taken} | {error, {too_fast, Micros :: non_neg_integer()}}.
take_post(_Rates, _Author, _Burst, _Refill, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc A reader's settings, from the element that is kept: the default for whatever cannot be read. Times
%% are in microseconds since the epoch.
-spec settings_read(Xml :: binary()) -> settings().
settings_read(_Xml) -> erlang:nif_error(nif_not_loaded).

%% @doc The element to keep.
-spec settings_write(settings()) -> Xml :: binary().
settings_write(_Settings) -> erlang:nif_error(nif_not_loaded).

%% @doc What they say at this moment.
-spec settings_view(settings(), Now :: non_neg_integer()) ->
          {Pushes :: boolean(), Bodies :: boolean(), CatchUp :: boolean(), Muted :: [{jid(), until()}]}.
settings_view(_Settings, _Now) -> erlang:nif_error(nif_not_loaded).

-spec settings_set(settings(), Pushes :: boolean(), Bodies :: boolean(), CatchUp :: boolean()) -> settings().
settings_set(_Settings, _Pushes, _Bodies, _CatchUp) -> erlang:nif_error(nif_not_loaded).

%% @doc The same with a friend muted until then.
-spec settings_mute(settings(), Friend :: jid(), until(), Now :: non_neg_integer()) ->
          {ok, settings()} | {error, too_many_mutes}.
settings_mute(_Settings, _Friend, _Until, _Now) -> erlang:nif_error(nif_not_loaded).

-spec settings_unmute(settings(), Friend :: jid()) -> settings().
settings_unmute(_Settings, _Friend) -> erlang:nif_error(nif_not_loaded).

%% @doc Of friends with their names, those who are not muted.
-spec settings_heard(settings(), [{Friend :: jid(), Name}], Now :: non_neg_integer()) -> [{jid(), Name}].
settings_heard(_Settings, _Friends, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc How a reader gets news of an author.
-spec settings_share(settings(), Author :: jid(), post | retraction, Now :: non_neg_integer()) ->
          whole | without_body | nothing.
settings_share(_Settings, _Author, _News, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc The commands of the service for somebody with these rights: the id of each.
-spec commands(rights()) -> [{Id :: binary(), command()}].
commands(_Rights) -> erlang:nif_error(nif_not_loaded).

%% @doc Whether this is the id of a command of the service, for anybody.
-spec is_command(Id :: binary()) -> boolean().
is_command(_Id) -> erlang:nif_error(nif_not_loaded).

%% @doc How the command of a node begins, of the service or of a row: with a stage, with a table and nothing
%% else, or not at all, as there is none.
-spec begin_command(Id :: binary(), rights()) -> none | table | {stage, stage()}.
begin_command(_Id, _Rights) -> erlang:nif_error(nif_not_loaded).

%% @doc The fields of a stage, and its actions if it has several.
-spec stage_form(stage()) ->
          {[{Var :: binary(), 'text-multi' | 'text-single' | boolean | 'list-single', IsRequired :: boolean()}],
           none | {some, {Default :: action(), [action()]}}}.
stage_form(_Stage) -> erlang:nif_error(nif_not_loaded).

%% @doc For how long somebody can be muted: what a form may say, in the order in which people see it.
-spec mute_spans() -> [binary()].
mute_spans() -> erlang:nif_error(nif_not_loaded).

%% @doc No dialog is open yet.
-spec dialogs_new() -> dialogs().
dialogs_new() -> erlang:nif_error(nif_not_loaded).

%% @doc Opens a dialog of a session about a node. The time is in microseconds since the epoch, here and below.
-spec dialog_open(dialogs(), Id :: binary(), Owner :: {jid(), Resource :: binary()}, Node :: binary(), stage(),
                  Now :: non_neg_integer()) -> ok.
dialog_open(_Dialogs, _Id, _Owner, _Node, _Stage, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc The owner answers: which stage he answers, and what comes of it. After `canceled' and `act' the dialog
%% is over. What he must see is told back with {@link dialog_show/5}.
-spec dialog_step(dialogs(), Id :: binary(), Owner :: {jid(), Resource :: binary()}, Node :: binary(),
                  {action(), form()}, Now :: non_neg_integer()) ->
          {ok, {stage(), step()}}
        | {error, bad_sessionid | session_expired | bad_action | {bad_payload, Var :: binary()}}.
dialog_step(_Dialogs, _Id, _Owner, _Node, _Answer, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc The owner is shown another stage; or the one before, as what he wanted was refused: then the dialog is
%% open again. `false' if it is gone.
-spec dialog_show(dialogs(), Id :: binary(), Owner :: {jid(), Resource :: binary()}, stage(),
                  Now :: non_neg_integer()) -> boolean().
dialog_show(_Dialogs, _Id, _Owner, _Stage, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc Nothing has been measured yet.
-spec meter_new() -> meter().
meter_new() -> erlang:nif_error(nif_not_loaded).

%% @doc Something took so long. Both are in microseconds.
-spec record(meter(), Micros :: non_neg_integer(), Now :: non_neg_integer()) -> ok.
record(_Meter, _Micros, _Now) -> erlang:nif_error(nif_not_loaded).

-spec summary(meter(), Now :: non_neg_integer()) -> summary().
summary(_Meter, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc Numbers of vhosts in the text format of Prometheus.
-spec prometheus([{Host :: binary(), [{Name :: binary(), non_neg_integer()}], [{Of :: binary(), summary()}]}]) ->
          binary().
prometheus(_Numbers) -> erlang:nif_error(nif_not_loaded).

%% @doc The mark as it is after these runs of the service, of which each began at that moment, the present one
%% last.
-spec mark_pass(mark(), Runs :: [micros()]) -> mark().
mark_pass(_Mark, _Runs) -> erlang:nif_error(nif_not_loaded).

%% @doc In which run of the service the reader came; `undefined' if he is not online.
-spec mark_run(mark()) -> micros() | undefined.
mark_run(_Mark) -> erlang:nif_error(nif_not_loaded).

%% @doc What is unread in the run of the service that began at `Run', oldest first.
-spec mark_gaps(mark(), Run :: micros(), IsOnline :: boolean()) -> [gap()].
mark_gaps(_Mark, _Run, _IsOnline) -> erlang:nif_error(nif_not_loaded).

%% @doc The reader has a session at `Now'; `WasThere': it was there when an earlier run ended. The departure
%% is how he left before, if that has not been told. Returns what he missed if he comes back, oldest first: it
%% is still unread. If he does not want pushes, what is posted from now on is unread as well.
-spec mark_arrive(mark(), departure() | undefined, arrival()) -> {mark(), Missed :: [gap()] | undefined}.
mark_arrive(_Mark, _Departure, _Arrival) -> erlang:nif_error(nif_not_loaded).

%% @doc The reader has no session any more: what is posted from now on is unread, and what he did not get.
-spec mark_leave(mark(), departure()) -> mark().
mark_leave(_Mark, _Departure) -> erlang:nif_error(nif_not_loaded).

%% @doc Posts are pushed to a reader who is online from now on, or no longer.
-spec mark_push(mark(), WantsPushes :: boolean(), Now :: micros()) -> mark().
mark_push(_Mark, _WantsPushes, _Now) -> erlang:nif_error(nif_not_loaded).

%% @doc The reader was shown the posts of these moments, and all between.
-spec mark_seen(mark(), Run :: micros(), IsOnline :: boolean(), Oldest :: micros(), Newest :: micros()) -> mark().
mark_seen(_Mark, _Run, _IsOnline, _Oldest, _Newest) -> erlang:nif_error(nif_not_loaded).

%% @doc An empty index, whose streams and payloads may take so many bytes. It lives as long as
%% somebody holds the reference.
-spec index_new(IndexSize :: non_neg_integer(), CacheSize :: non_neg_integer()) -> index().
index_new(_IndexSize, _CacheSize) -> erlang:nif_error(nif_not_loaded).

%% @doc Sets other sizes, and keeps to them at once.
-spec set_budgets(index(), IndexSize :: non_neg_integer(), CacheSize :: non_neg_integer()) -> ok.
set_budgets(_Index, _IndexSize, _CacheSize) -> erlang:nif_error(nif_not_loaded).

%% @doc How much is in memory, in bytes, and of how much.
-spec memory(index()) ->
          {StreamBytes :: non_neg_integer(), PayloadBytes :: non_neg_integer(),
           Authors :: non_neg_integer(), Posts :: non_neg_integer(),
           Payloads :: non_neg_integer()}.
memory(_Index) -> erlang:nif_error(nif_not_loaded).

%% @doc What one request has in its hand: the streams it has loaded, though the index may let them go.
-spec hold_new() -> hold().
hold_new() -> erlang:nif_error(nif_not_loaded).

%% @doc Whether an author's stream is in the index; then the hold has it.
-spec hold(index(), hold(), Author :: jid()) -> boolean().
hold(_Index, _Hold, _Author) -> erlang:nif_error(nif_not_loaded).

%% @doc Empties a hold, not to wait for the garbage collector.
-spec release(hold()) -> ok.
release(_Hold) -> erlang:nif_error(nif_not_loaded).

%% @doc The version of an author's stream. Ask for it, read the storage, then offer what you read: an
%% offer is `stale' if the stream changed meanwhile, or is not known any more.
-spec version(index(), Author :: jid()) -> version().
version(_Index, _Author) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers all posts of an author: times in microseconds since 1970, and ids, in any order. If it is
%% taken, the hold has them.
-spec load(index(), hold(), Author :: jid(), ReadUnder :: version(),
           [{Micros :: non_neg_integer(), item_id()}]) -> taken | stale.
load(_Index, _Hold, _Author, _ReadUnder, _Posts) -> erlang:nif_error(nif_not_loaded).

%% @doc For whom heard posts are: the core room `audience' tells what that means. In which part the row of a
%% reader is.
-spec audience_bucket(Reader :: jid()) -> 0..63.
audience_bucket(_Reader) -> erlang:nif_error(nif_not_loaded).

%% @doc Which audience is in force.
-spec audience_digest(audience()) -> Digest :: binary() | undefined.
audience_digest(_State) -> erlang:nif_error(nif_not_loaded).

%% @doc Whether readers may see what comes next without being admitted to it.
-spec audience_is_open(audience()) -> boolean().
audience_is_open(_State) -> erlang:nif_error(nif_not_loaded).

%% @doc The state to be stored before changes of rows are, and while a reader's row is taken away.
-spec audience_unsure(audience()) -> audience().
audience_unsure(_State) -> erlang:nif_error(nif_not_loaded).

%% @doc What is relayed from now on is for these readers: the new state, to be stored last, and the rows that
%% change. All rows have to be given.
-spec audience_assume(audience(), rows(), Digest :: binary(), Readers :: [jid()]) -> {audience(), rows()}.
audience_assume(_State, _Rows, _Digest, _Readers) -> erlang:nif_error(nif_not_loaded).

%% @doc No audience is in force any more: as {@link audience_assume/4}.
-spec audience_seal(audience(), rows()) -> {audience(), rows()}.
audience_seal(_State, _Rows) -> erlang:nif_error(nif_not_loaded).

%% @doc The number of a post that comes for an audience or for one reader, and the state, to be stored before it.
-spec audience_next(audience(), relay | single) -> {seq(), audience()} | {error, open | closed}.
audience_next(_State, _Kind) -> erlang:nif_error(nif_not_loaded).

%% @doc The part with this reader's row, when he may see this post, too.
-spec audience_admit(Bucket :: binary(), Reader :: jid(), seq()) -> Bucket :: binary().
audience_admit(_Bucket, _Reader, _Seq) -> erlang:nif_error(nif_not_loaded).

%% @doc The part without this reader's row. While it is written the state has to be unsure.
-spec audience_dismiss(Bucket :: binary(), Reader :: jid()) -> Bucket :: binary().
audience_dismiss(_Bucket, _Reader) -> erlang:nif_error(nif_not_loaded).

%% @doc All who may see this post.
-spec audience_readers(rows(), seq()) -> [jid()].
audience_readers(_Rows, _Seq) -> erlang:nif_error(nif_not_loaded).

%% @doc Where a post stands in time that came from another server, in microseconds: the first two by the clock of
%% that server, as far as it told them.
-spec place_at(Published :: non_neg_integer() | undefined, Sent :: non_neg_integer() | undefined,
               Received :: non_neg_integer()) -> non_neg_integer().
place_at(_Published, _Sent, _Received) -> erlang:nif_error(nif_not_loaded).

%% @doc Whether a service speaks for the users of a domain, which lists these services.
-spec speaks_for(Service :: binary(), Domain :: binary(), Listed :: [binary()]) -> boolean().
speaks_for(_Service, _Domain, _Listed) -> erlang:nif_error(nif_not_loaded).

%% @doc How long to leave a server alone that did not answer so many times in a row, in milliseconds.
-spec retry_after(Failures :: non_neg_integer()) -> non_neg_integer().
retry_after(_Failures) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers all posts that were heard of an author, in any order, and what each reader may see; like
%% {@link load/5}.
-spec load_heard(index(), hold(), Author :: jid(), ReadUnder :: version(),
                 [{Micros :: non_neg_integer(), item_id(), seq()}], rows()) -> taken | stale.
load_heard(_Index, _Hold, _Author, _ReadUnder, _Posts, _Rows) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers a post that was recorded, and the rows that changed with it.
-spec put_heard(index(), Author :: jid(), ReadUnder :: version(),
                {Micros :: non_neg_integer(), item_id(), seq()}, stored(), Changed :: rows()) ->
          taken | stale.
put_heard(_Index, _Author, _ReadUnder, _Post, _Payload, _Changed) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers rows that changed.
-spec set_heard(index(), Author :: jid(), ReadUnder :: version(), Changed :: rows()) -> taken | stale.
set_heard(_Index, _Author, _ReadUnder, _Changed) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers a post that is stored.
-spec put(index(), Author :: jid(), ReadUnder :: version(), Micros :: non_neg_integer(),
          item_id(), stored()) -> taken | stale.
put(_Index, _Author, _ReadUnder, _Micros, _Id, _Payload) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers that no post with this id is stored.
-spec remove(index(), Author :: jid(), ReadUnder :: version(), item_id()) -> taken | stale.
remove(_Index, _Author, _ReadUnder, _Id) -> erlang:nif_error(nif_not_loaded).

%% @doc Offers payloads of posts that a page or a search gave without; stale ones are not kept.
-spec keep_payloads(index(), [{Author :: jid(), ReadUnder :: version(), item_id(), stored()}]) -> ok.
keep_payloads(_Index, _Payloads) -> erlang:nif_error(nif_not_loaded).

%% @doc An author's posts changed in a way not told: they are read again when next asked for.
-spec forget(index(), Author :: jid()) -> ok.
forget(_Index, _Author) -> erlang:nif_error(nif_not_loaded).

%% @doc Storage may have changed in ways that nobody told: everything is read when next asked for, and what is being
%% read now is not taken. Cost: O(what is in memory).
-spec forget_all(index()) -> ok.
forget_all(_Index) -> erlang:nif_error(nif_not_loaded).

%% @doc One page of the merged streams of `Authors'. Beginning next to the anchor, posts come with
%% their payloads until these are `MaxBytes' or more. The second try with the same hold, after loading
%% what was missing, has all that it needs. Of streams that were heard it has what is for this reader; of
%% others everything, for their authors' rosters say whether he may see them.
-spec page(index(), hold(), Authors :: [jid()], Reader :: jid() | none, request(),
           MaxBytes :: non_neg_integer()) ->
          {ok, page()} | {error, bad_cursor | {not_loaded, [jid()]}}.
page(_Index, _Hold, _Authors, _Reader, _Request, _MaxBytes) -> erlang:nif_error(nif_not_loaded).

%% @doc All posts of `Authors' with one of these ids, in the order of the ids, then newest first; with
%% payloads, and for a reader, like a page.
-spec find(index(), hold(), Authors :: [jid()], Reader :: jid() | none, [item_id()],
           MaxBytes :: non_neg_integer()) ->
          {ok, [post()]} | {error, {not_loaded, [jid()]}}.
find(_Index, _Hold, _Authors, _Reader, _Ids, _MaxBytes) -> erlang:nif_error(nif_not_loaded).

%% @doc The newest posts of `Authors' in these gaps, which come oldest first and do not touch each other,
%% newest first and at most `Limit', with payloads, and for a reader, like a page; and how many there are.
-spec missed(index(), hold(), Authors :: [jid()], Reader :: jid() | none, [gap()],
             Limit :: non_neg_integer(), MaxBytes :: non_neg_integer()) ->
          {ok, {[post()], Count :: non_neg_integer()}} | {error, {not_loaded, [jid()]}}.
missed(_Index, _Hold, _Authors, _Reader, _Gaps, _Limit, _MaxBytes) -> erlang:nif_error(nif_not_loaded).
