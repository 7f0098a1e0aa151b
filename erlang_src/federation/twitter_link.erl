%%% @doc Sends to one other server what is owed to it ({@link twitter_outbox}), and ends when that is done. Each
%%% server has a link of its own, so nobody waits for one that is down or slow.
%%%
%%% A link asks what the server can do ({@link twitter_peer}), and has a {@link twitter_courier} for each author,
%%% of several authors at once. When there is no answer it waits, longer each time, until it tries again with one;
%%% or until something comes from that server.
-module(twitter_link).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([start_link/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
%% In a process of its own, and in that of a connection to another server.
-export([find_out/2, try_again/1]).

%% Authors of whom something is under way at once; one if nobody knows whether the server answers.
-define(RELAYS, 16).
-define(SINGLES, 4).
%% So often one answer may make no sense before what it is about is dropped.
-define(MAX_FAILED, 3).
%% So often there may be none, though others had one just before.
-define(MAX_SUSPECTED, 5).
%% So long those rest whose turn ended in a crash.
-define(CRASHED_MS, 5_000).
%% What is owed to a server is kept so long; to one without relays, if it cannot be reached, so long.
-define(KEEP_S, 3 * 86_400).
-define(KEEP_SINGLES_S, 300).
%% So long a server gets none of what it has refused.
-define(REFUSED_S, 600).
%% What comes from a server makes a link try again so often at most.
-define(HEARD_MS, 1_000).
%% So long ejabberd has to close what it had found closed.
-define(SETTLE_MS, 100).

-record(state, {server_host :: binary(),
                peer :: twitter_outbox:peer(),
                table :: twitter_outbox:table(),
                %% What it was able to do when that was looked at last.
                known = none :: twitter_peer:known() | none,
                asking = none :: pid() | none,
                couriers = #{} :: #{pid() => twitter_nif:jid()},
                %% Who had the last turn.
                former = <<>> :: twitter_nif:jid() | <<>>,
                %% How often in a row there was no answer, and when it is time to try again.
                failures = 0 :: non_neg_integer(),
                timer = none :: reference() | none,
                tried = 0 :: integer(),
                %% Something came from there since that was begun which is under way.
                heard = false :: boolean(),
                %% Authors of whom something made no sense, how often; and whose turn is later for that.
                failed = #{} :: #{twitter_nif:jid() => pos_integer()},
                resting = #{} :: #{twitter_nif:jid() => true},
                waiting = [] :: [gen_server:from()]}).

-spec start_link(ServerHost :: binary(), twitter_outbox:peer()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost, Peer) ->
    gen_server:start_link(?MODULE, {ServerHost, Peer}, []).

%% @private
-spec init({binary(), twitter_outbox:peer()}) -> {ok, #state{}}.
init({ServerHost, Peer}) ->
    process_flag(trap_exit, true),
    process_flag(priority, low),
    self() ! owed,
    {ok, #state{server_host = ServerHost, peer = Peer, table = twitter_outbox:name(ServerHost)}}.

%% @private
-spec handle_call(sync | term(), gen_server:from(), #state{}) -> {noreply, #state{}} | {stop, normal, #state{}}.
handle_call(sync, From, #state{waiting = Waiting} = State) ->
    continue(State#state{waiting = [From | Waiting]});
handle_call(_Request, _From, State) ->
    {noreply, State}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info(owed | heard | {rested, twitter_nif:jid()} | {timeout, reference(), try_again | heard} | {'EXIT', pid(), term()} | term(), #state{}) ->
          {noreply, #state{}} | {stop, term(), #state{}}.
handle_info(owed, #state{server_host = ServerHost, peer = Peer, timer = Timer} = State) ->
    %% It may be long until this is tried again, and a kill may come before.
    _ = [twitter_links:write_down(ServerHost, Peer) || Timer =/= none],
    continue(State);
handle_info(heard, #state{timer = none} = State) ->
    %% What is under way may fail all the same: it was begun before.
    {noreply, State#state{heard = true}};
handle_info(heard, #state{tried = Tried} = State) ->
    case Tried + ?HEARD_MS - now_ms() of
        Early when Early > 0 -> {noreply, later(Early, heard, State)};
        _ -> {noreply, heard(State)}
    end;
handle_info({timeout, Timer, heard}, #state{timer = Timer} = State) ->
    {noreply, heard(State)};
handle_info({timeout, Timer, try_again}, #state{timer = Timer} = State) ->
    continue(State#state{timer = none});
handle_info({rested, Author}, #state{resting = Resting} = State) ->
    continue(State#state{resting = maps:remove(Author, Resting)});
handle_info({'EXIT', Asker, Reason}, #state{asking = Asker} = State) ->
    case Reason of
        {answer, {ok, _Known}} -> continue(State#state{asking = none});
        _Unreachable -> continue(unreachable(State#state{asking = none}))
    end;
handle_info({'EXIT', Courier, Reason}, #state{couriers = Couriers} = State) when is_map_key(Courier, Couriers) ->
    {Author, Others} = maps:take(Courier, Couriers),
    continue(ended(Reason, Author, State#state{couriers = Others}));
handle_info({'EXIT', _Links, Reason}, State) ->
    {stop, Reason, State};
handle_info(_Message, State) ->
    {noreply, State}.

now_ms() ->
    erlang:monotonic_time(millisecond).

%%% What comes next

continue(#state{timer = Timer} = State) when Timer =/= none ->
    {noreply, settled(State)};
continue(#state{asking = Asker} = State) when Asker =/= none ->
    {noreply, State};
continue(#state{table = Table, peer = {_, Domain} = Peer} = State) ->
    case twitter_peer:known(Domain) of
        {ok, Known} ->
            go_on(State#state{known = Known});
        unknown ->
            case twitter_outbox:is_owed(Table, Peer) of
                true -> {noreply, ask(State)};
                false -> go_on(State)
            end
    end.

go_on(#state{couriers = Couriers} = State) ->
    case map_size(Couriers) < width(State) andalso next(State) of
        {ok, Author} -> continue(send(Author, State));
        none when map_size(Couriers) =:= 0 -> nobody_suits(State);
        _ -> {noreply, State}
    end.

ask(#state{peer = {Host, Domain}} = State) ->
    State#state{asking = spawn_link(?MODULE, find_out, [Host, Domain]), tried = now_ms()}.

%% @private
-spec find_out(Host :: binary(), Domain :: binary()) -> no_return().
find_out(Host, Domain) ->
    exit({answer, twitter_peer:ask(Host, Domain)}).

width(#state{failures = Failures}) when Failures > 0 -> 1;
width(State) ->
    case way(State) of
        {relay, _} -> ?RELAYS;
        _ -> ?SINGLES
    end.

way(#state{known = #{relay := Relay, multicast := Multicast}, table = Table, peer = Peer}) ->
    case {takes(Relay, Table, Peer, relay), takes(Multicast, Table, Peer, multicast)} of
        {true, _} -> {relay, Relay};
        {false, true} -> {multicast, Multicast};
        {false, false} -> singles
    end.

takes(none, _Table, _Peer, _Offer) -> false;
takes(_Service, Table, Peer, Offer) -> not twitter_outbox:refused(Table, Peer, Offer).

next(#state{table = Table, peer = Peer, former = Former, couriers = Couriers, resting = Resting}) ->
    Busy = maps:from_keys(maps:values(Couriers), true),
    Suits = fun(Author) -> not is_map_key(Author, Busy) andalso not is_map_key(Author, Resting) end,
    twitter_outbox:next(Table, Peer, Former, Suits).

send(Author, #state{server_host = ServerHost, peer = Peer, couriers = Couriers} = State) ->
    Courier = twitter_courier:start_link(ServerHost, Peer, Author, way(State)),
    State#state{couriers = Couriers#{Courier => Author}, former = Author, tried = now_ms()}.

nobody_suits(#state{resting = Resting} = State) when map_size(Resting) =:= 0 ->
    leave(State);
nobody_suits(State) ->
    {noreply, settled(State)}.

%% Whoever owes something to the server now finds nobody who sends, and has another link started.
leave(#state{server_host = ServerHost, table = Table, peer = Peer} = State) ->
    ok = twitter_links:leave(ServerHost, Peer),
    _ = [twitter_links:wake(ServerHost, [Peer]) || twitter_outbox:is_owed(Table, Peer)],
    {stop, normal, settled(State)}.

%% Nothing can be sent now.
settled(#state{couriers = Couriers, asking = none, waiting = Waiting} = State) when map_size(Couriers) =:= 0 ->
    lists:foreach(fun(From) -> gen_server:reply(From, ok) end, Waiting),
    State#state{waiting = []};
settled(State) ->
    State.

%%% What became of it

ended({sent, Author}, Author, #state{failed = Failed} = State) ->
    answered(State#state{failed = maps:remove(Author, Failed)});
ended(unreachable, Author, #state{failures = 0} = State) ->
    %% Others were reached just now: it may be what this one was sent that ends the connection.
    unreachable(suspected(Author, ?MAX_SUSPECTED, State));
ended(unreachable, _Author, State) ->
    unreachable(State);
ended(busy, _Author, State) ->
    unreachable(State);
ended(gone, _Author, #state{failures = Failures, peer = {_, Domain}} = State) when Failures < ?MAX_FAILED ->
    %% Perhaps it starts or stops just now, and to do without relays would be to lose what cannot be sent. If it
    %% has none any more it says so when it is asked again.
    ok = twitter_peer:forget(Domain),
    unreachable(State);
ended(gone, Author, State) ->
    ended({refused, relay}, Author, State);
ended({refused, Offer}, _Author, #state{table = Table, peer = {_, Domain} = Peer} = State) ->
    %% It may have other services by now.
    ok = twitter_peer:forget(Domain),
    ok = twitter_outbox:refuse(Table, Peer, Offer, ?REFUSED_S),
    State#state{known = none};
ended(senseless, Author, State) ->
    case suspected(Author, ?MAX_FAILED, State) of
        #state{failed = #{Author := Times}} = Failed -> rest(Author, twitter_nif:retry_after(Times), Failed);
        Dropped -> Dropped
    end;
ended(_Crashed, Author, State) ->
    %% Its log says why: mostly storage that fails.
    rest(Author, ?CRASHED_MS, State).

%% What gives no good answer again and again is dropped: whoever comes after it is worth more.
suspected(Author, Max, #state{table = Table, peer = {_, Domain} = Peer, failed = Failed} = State) ->
    case maps:get(Author, Failed, 0) + 1 of
        Max ->
            ?WARNING_MSG("What ~ts posted is not sent to ~ts, which gives no sensible answer", [Author, Domain]),
            ok = twitter_outbox:done(Table, Peer, Author),
            ok = count(dropped, 1, State),
            State#state{failed = maps:remove(Author, Failed)};
        Times ->
            State#state{failed = Failed#{Author => Times}}
    end.

rest(Author, Ms, #state{resting = Resting} = State) ->
    _ = erlang:send_after(Ms, self(), {rested, Author}),
    State#state{resting = Resting#{Author => true}}.

unreachable(#state{server_host = ServerHost, table = Table, peer = {_, Domain} = Peer, failures = Failures} = State) ->
    ok = twitter_awaited:await(ServerHost, {server, Domain}),
    ok = twitter_links:write_down(ServerHost, Peer),
    Before = twitter_unread:moment() - 1_000_000 * keep(State),
    case twitter_outbox:expire(Table, Peer, Before) of
        0 -> ok;
        Expired -> ok = count(dropped, Expired, State)
    end,
    Failed = State#state{failures = Failures + 1, known = none},
    case Failed of
        #state{heard = true} -> later(?HEARD_MS, heard, Failed);
        _ -> later(twitter_nif:retry_after(Failures + 1), try_again, Failed)
    end.

answered(#state{failures = 0} = State) ->
    State;
answered(#state{server_host = ServerHost, peer = {_, Domain}} = State) ->
    ok = twitter_awaited:forgo(ServerHost, {server, Domain}),
    State#state{failures = 0, heard = false}.

keep(#state{known = none}) -> ?KEEP_S;
keep(State) ->
    case way(State) of
        {relay, _} -> ?KEEP_S;
        _ -> ?KEEP_SINGLES_S
    end.

count(Counter, N, #state{server_host = ServerHost}) ->
    case twitter_flow:find(ServerHost) of
        {ok, Flow} -> twitter_flow:count(Flow, Counter, N);
        error -> ok
    end.

later(Ms, Why, #state{timer = Before} = State) ->
    _ = [erlang:cancel_timer(Before) || Before =/= none],
    State#state{timer = erlang:start_timer(Ms, self(), Why)}.

%% What was found out while it could not be reached is out of date, for ejabberd too: it refuses for a while to
%% connect to where it could not.
heard(#state{peer = {Host, Domain}} = State) ->
    Services = case twitter_peer:known(Domain) of
                   {ok, #{listed := Listed}} ->
                       [Domain | Listed];
                   unknown ->
                       ok = twitter_peer:forget(Domain),
                       [Domain]
               end,
    lists:foreach(fun(Connection) -> ejabberd_s2s_out:update_state(Connection, {?MODULE, try_again, []}) end,
                  [Pid || Service <- Services, Pid <- ejabberd_s2s:get_connections_pids({Host, Service})]),
    later(?SETTLE_MS, try_again, State#state{failures = 1, heard = false, tried = now_ms()}).

%% @private
-spec try_again(map()) -> map().
try_again(#{on_route := bounce} = Connection) ->
    ok = ejabberd_s2s_out:stop_async(self()),
    Connection;
try_again(Connection) ->
    Connection.
