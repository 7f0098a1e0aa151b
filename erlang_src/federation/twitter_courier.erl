%%% @doc Brings what is owed of one author to one other server: a process that ends when that is done, and says
%%% by its reason what became of it.
%%%
%%% Rights are those of the moment at which a stanza is made: the author's roster is read before each, and posts
%%% as they are stored then. What was deleted meanwhile is not sent, nor is a post that was edited once more:
%%% that is owed by itself.
-module(twitter_courier).

-include_lib("xmpp/include/xmpp.hrl").

-export([start_link/4, readers/1, reach/2, ask/4, note/2, run/2, tell_route/3]).
-export_type([job/0, way/0, ending/0]).

%% So many posts at most are sent once more to a server that forgot them all.
-define(MAX_AGAIN, 1000).
%% So long a service has for an answer.
-define(ANSWER_MS, 20_000).
%% Errors that say that a server cannot be reached, or cannot do it now.
-define(UNREACHABLE, ['remote-server-timeout', 'remote-server-not-found', 'recipient-unavailable']).
-define(BUSY, ['internal-server-error', 'resource-constraint']).

-type way() :: {relay, Service :: binary()} | {multicast, {Service :: binary(), MaxAddresses :: pos_integer()}}
             | singles.
-type job() :: #{server_host := binary(), host := binary(), peer := twitter_outbox:peer(),
                 table := twitter_outbox:table(), author := twitter_nif:jid(), jid := jid:jid()}.
-type ending() :: {sent, Author :: twitter_nif:jid()} | unreachable | busy | gone | {refused, relay | multicast}
                | senseless.
%% Sent; no answer; an answer that says later; the service does not want this; it gives no sensible answer.

%% @doc Sends all that is owed of the author to that server.
-spec start_link(ServerHost :: binary(), twitter_outbox:peer(), Author :: twitter_nif:jid(), way()) -> pid().
start_link(ServerHost, {Host, _Domain} = Peer, Author, Way) ->
    Job = #{server_host => ServerHost, host => Host, peer => Peer, table => twitter_outbox:name(ServerHost),
            author => Author, jid => twitter_roster:bare(Author)},
    spawn_link(?MODULE, run, [Job, Way]).

%% @private
-spec run(job(), way()) -> no_return().
run(#{author := Author} = Job, Way) ->
    process_flag(priority, low),
    exit(try
             ok = all(Job, Way),
             {sent, Author}
         catch
             throw:{stopped, Ending} -> Ending
         end).

all(#{table := Table, peer := {Host, _} = Peer, author := Author} = Job, Way) ->
    %% It may have begun to serve its users before it serves its pubsub host.
    _ = [throw({stopped, busy}) || twitter_service:find(Host) =:= error],
    case twitter_outbox:take(Table, Peer, Author) of
        none ->
            ok;
        Work ->
            ok = deliver(Job, Way, Work),
            ok = twitter_outbox:done(Table, Peer, Author),
            all(Job, Way)
    end.

deliver(Job, {relay, Service}, Work) -> twitter_relays:send(Job, Service, one_by_one(Job, Work));
deliver(Job, {multicast, Multicast}, Work) -> twitter_singles:send(Job, Multicast, one_by_one(Job, Work));
deliver(Job, singles, Work) -> twitter_singles:send(Job, none, one_by_one(Job, Work)).

%% What was too much to be noted so.
one_by_one(_Job, #{since := none, again := none} = Work) ->
    Work;
one_by_one(#{host := Host, author := Author} = Job, #{changes := Changes, since := Since, again := Again} = Work) ->
    Stored = lists:sort([{Version, Id} || {Id, Version} <- twitter_store:versions(Host, Author)]),
    Noted = maps:from_list([{Id, true} || {item, Id, _} <- Changes]),
    %% A number is less than `none'.
    Further = [{item, Id, Version} || {Version, Id} <- Stored, not is_map_key(Id, Noted),
                                      Version >= Since orelse Again =/= none andalso Version > Again],
    Pushed = lists:sort(fun(One, Other) -> twitter_outbox:version(One) =< twitter_outbox:version(Other) end,
                        Changes ++ Further),
    Changed = Work#{changes := again(Again, Stored) ++ Pushed, since := none, again := none},
    ok = note(Job, Changed),
    Changed.

%% Posts that are there when all is forgotten are new to whoever has forgotten them: they come after that.
again(none, _Stored) ->
    [];
again(Again, Stored) ->
    Kept = [Id || {Version, Id} <- Stored, Version =< Again],
    Some = lists:nthtail(max(0, length(Kept) - ?MAX_AGAIN), Kept),
    [{purge, Again} | [{again, Id, Again + N} || {N, Id} <- lists:enumerate(Some)]].

%% @doc So much is left of what was taken.
-spec note(job(), twitter_outbox:work()) -> ok.
note(#{table := Table, peer := Peer, author := Author}, Work) ->
    twitter_outbox:note(Table, Peer, Author, Work).

%% @doc Who on that server may see the author now. Cost: the author's roster is read.
-spec readers(job()) -> [twitter_nif:jid()].
readers(#{jid := Jid, peer := {_Host, Domain}}) ->
    twitter_roster:readers(Jid, Domain).

%% @doc Returns when what is sent to that service next goes out at once. Else it would wait in a queue of ejabberd's
%% until there is a connection, and be read long after somebody lost the right to it. Ends this process if there is
%% no connection.
-spec reach(job(), Service :: binary()) -> ok.
reach(#{host := Host} = Job, Service) ->
    %% A component of this server needs no connection.
    case ejabberd_router:is_my_route(Service)
        orelse lists:any(fun is_connected/1, ejabberd_s2s:get_connections_pids({Host, Service})) of
        true ->
            ok;
        false ->
            _ = ask(Job, Service, get, #ping{}),
            ok
    end.

is_connected(Connection) ->
    Monitor = monitor(process, Connection),
    ok = ejabberd_s2s_out:update_state(Connection, {?MODULE, tell_route, [self(), Monitor]}),
    receive
        {Monitor, Route} ->
            true = demonitor(Monitor, [flush]),
            Route =:= send;
        {'DOWN', Monitor, process, _, _} ->
            false
    end.

%% @private In the process of a connection: what it does with a stanza.
-spec tell_route(Connection, pid(), reference()) -> Connection when Connection :: map().
tell_route(Connection, Courier, Question) ->
    Courier ! {Question, maps:get(on_route, Connection, queue)},
    Connection.

%% @doc Asks a service of that server, and waits for the answer. Ends this process if there is none, or it says
%% that it is too busy.
-spec ask(job(), Service :: binary(), get | set, xmpp_element() | xmlel()) -> iq().
ask(#{host := Host}, Service, Type, El) ->
    Question = make_ref(),
    IQ = #iq{type = Type, from = jid:make(Host), to = jid:make(Service), sub_els = [El]},
    ok = ejabberd_router:route_iq(IQ, Question, self(), ?ANSWER_MS),
    receive
        {iq_reply, #iq{type = error} = Error, Question} -> error_of(Error);
        {iq_reply, #iq{from = #jid{luser = <<>>, lserver = Service}} = Result, Question} -> Result;
        {iq_reply, _TimeoutOrSomebodyElse, Question} -> throw({stopped, unreachable})
    after ?ANSWER_MS + 1_000 ->
            %% ejabberd's process that keeps questions was killed.
            throw({stopped, unreachable})
    end.

error_of(Error) ->
    Reason = try xmpp:get_error(Error) of
                 #stanza_error{reason = Known} -> Known;
                 undefined -> undefined
             catch
                 error:{xmpp_codec, _} -> throw({stopped, senseless})
             end,
    case {lists:member(Reason, ?UNREACHABLE), lists:member(Reason, ?BUSY)} of
        {true, _} -> throw({stopped, unreachable});
        {_, true} -> throw({stopped, busy});
        _ -> Error
    end.
