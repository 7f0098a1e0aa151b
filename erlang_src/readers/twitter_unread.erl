%%% @doc What readers have not read of the posts of their friends: the read marks. What a mark says and how it
%%% changes is decided in the core; here it is kept, in the reader's private storage, an element for all
%%% pubsub hosts of his server.
%%%
%%% A mark changes in the {@link twitter_writer} of its reader, so nothing is lost when two change it at once,
%%% and none is written after his account was deleted.
-module(twitter_unread).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([begin_run/1, end_run/1, lost/2, run/1, is_kept/1, moment/0]).
-export([count/1, missed/2, seen/3, pushes/2]).
-export([arrive/3, leave/1, load/3, seen/4]).
-export_type([absence/0, moment/0]).

-define(NS, <<"urn:ejabberd:twitter:unread">>).
-define(NS_RUNS, <<"urn:ejabberd:twitter:runs">>).
%% Who was online before so many runs, and never since, has missed only what is posted in them.
-define(MAX_RUNS, 100).
%% A moment after all others, in microseconds.
-define(NEVER, 16#ffffffffffff_ffff).
%% After so many bytes of payloads nobody reads on at once.
-define(MAX_BYTES, 1_000_000).

-type moment() :: non_neg_integer().
%% In microseconds since 1970.
-type absence() :: {twitter_service:served(), Missed :: [twitter_nif:gap(), ...], known | first}.
%% What somebody missed who comes back; or comes for the first time: then that is everything.

%% @doc A run of the service of a vhost begins. When each began is kept for the vhost itself: a server that is
%% killed writes nothing of those who are online.
-spec begin_run(ServerHost :: binary()) -> ok.
begin_run(ServerHost) ->
    Run = moment(),
    Runs = noted(ServerHost, node(), Run),
    persistent_term:put({?MODULE, ServerHost}, {Run, Runs}).

%% @doc Another node was lost, with its sessions: its run ends.
-spec lost(ServerHost :: binary(), node()) -> ok.
lost(ServerHost, Node) ->
    _ = noted(ServerHost, Node, moment()),
    ok.

noted(ServerHost, Node, Moment) ->
    Former = runs(ServerHost, Node),
    Runs = lists:nthtail(max(0, length(Former) + 1 - ?MAX_RUNS), Former ++ [Moment]),
    Els = [#xmlel{name = <<"run">>, children = [{xmlcdata, integer_to_binary(Began)}]} || Began <- Runs],
    _ = twitter_private:write_of_host(ServerHost, #xmlel{name = <<"runs">>, attrs = [{<<"xmlns">>, ns_runs(Node)}],
                                                         children = Els}),
    _ = twitter_private:sync(),
    Runs.

%% Each node of a cluster has its own.
ns_runs(Node) ->
    <<?NS_RUNS/binary, ":", (atom_to_binary(Node))/binary>>.

runs(ServerHost, Node) ->
    case twitter_private:read_stored(jid:make(ServerHost), ns_runs(Node)) of
        {ok, #xmlel{children = Els}} -> [binary_to_integer(fxml:get_tag_cdata(El)) || El <- Els];
        _ -> []
    end.

%% @doc It has ended.
-spec end_run(ServerHost :: binary()) -> ok.
end_run(ServerHost) ->
    _ = persistent_term:erase({?MODULE, ServerHost}),
    ok.

%% @doc When the run of the service began that goes on; `none' if there is none.
-spec run(ServerHost :: binary()) -> non_neg_integer() | none.
run(ServerHost) ->
    case persistent_term:get({?MODULE, ServerHost}, none) of
        {Run, _Runs} -> Run;
        none -> none
    end.

%% @doc Whether readers of a vhost have marks.
-spec is_kept(ServerHost :: binary()) -> boolean().
is_kept(ServerHost) ->
    is_integer(run(ServerHost)) andalso twitter_private:is_available(ServerHost).

%% @doc The present moment, by the clock by which posts are dated: microseconds since 1970.
-spec moment() -> non_neg_integer().
moment() ->
    erlang:system_time(microsecond).

%%% For whoever asks

%% @doc How many posts of FriendsStream the reader has neither been sent nor shown. None, if he is no user
%% of the vhost, or that cannot be read.
-spec count(twitter_reader:reader()) -> non_neg_integer().
count(Reader) ->
    {_None, Count} = missed(Reader, 0),
    Count.

%% @doc The newest of them, newest first, at most `Limit' and not much more than a megabyte; and how many there
%% are. They are unread until {@link seen/3} says that he was shown them.
-spec missed(twitter_reader:reader(), Limit :: non_neg_integer()) ->
          {[twitter_store:post()], Count :: non_neg_integer()}.
missed(Reader, Limit) ->
    case gaps(Reader) of
        [] ->
            {[], 0};
        Gaps ->
            load(twitter_view:open(Reader, {stream, friends}), Gaps, Limit)
    end.

gaps(#{jid := Jid, service := #{host := Host, server_host := ServerHost}} = Reader) ->
    case twitter_reader:is_at_home(Reader) andalso run(ServerHost) of
        Run when is_integer(Run) ->
            case read(Jid) of
                {ok, Marks} -> twitter_nif:mark_gaps(mark(Host, Jid, Marks), Run, is_online(Jid));
                error -> []
            end;
        _ ->
            []
    end.

%% @doc The reader was shown what his friends posted between these moments, both included; in microseconds.
%% Cost: a look into a cache, unless that changes what is unread.
-spec seen(twitter_reader:reader(), OldestAt :: non_neg_integer(), NewestAt :: non_neg_integer()) -> ok.
seen(#{jid := Jid, service := Service} = Reader, OldestAt, NewestAt) ->
    case twitter_reader:is_at_home(Reader) of
        true -> seen(Service, Jid, OldestAt, NewestAt);
        false -> ok
    end.

%% @doc The same of a user of the vhost.
-spec seen(twitter_service:served(), jid:jid(), OldestAt :: non_neg_integer(), NewestAt :: non_neg_integer()) ->
          ok.
seen(#{host := Host, server_host := ServerHost} = Service, Jid, OldestAt, NewestAt) ->
    case run(ServerHost) of
        none ->
            ok;
        Run ->
            See = fun(Mark) -> twitter_nif:mark_seen(Mark, Run, is_online(Jid), OldestAt, NewestAt) end,
            case changes(Host, Jid, Run, See) of
                true -> ok(change([Service], Jid, fun(_Host, Mark) -> {See(Mark), []} end));
                false -> ok
            end
    end.

%% Most who read have read everything before: they need not wait for anybody.
changes(Host, Jid, Run, See) ->
    case read(Jid) of
        {ok, Marks} ->
            Mark = mark(Host, Jid, Marks),
            IsOnline = is_online(Jid),
            twitter_nif:mark_gaps(See(Mark), Run, IsOnline) =/= twitter_nif:mark_gaps(Mark, Run, IsOnline);
        error ->
            false
    end.

is_online(Jid) ->
    twitter_sessions:of_user(Jid) =/= [] orelse twitter_sessions:is_elsewhere(Jid).

%% @doc From now on posts are pushed to the reader, or no longer. To be told before his sessions take no more,
%% and after they have been told to take them.
-spec pushes(twitter_reader:reader(), boolean()) -> ok.
pushes(#{jid := Jid, service := #{server_host := ServerHost}}, WantsPushes) ->
    Now = until(ServerHost, WantsPushes),
    Push = fun(_Host, Mark) -> {twitter_nif:mark_push(Mark, WantsPushes, Now), []} end,
    _ = is_integer(run(ServerHost)) andalso change(twitter_service:all(ServerHost), Jid, Push),
    ok.

%% Of a post that is still on its way nobody knows whether it will be sent to one who wants none.
until(_ServerHost, true) -> moment();
until(ServerHost, false) -> max(0, min(moment(), twitter_backlog:complete_until(ServerHost)) - 1).

%%% For the sessions

%% @doc A session of a user of the vhost has become available; `WasThere' if it was before this run began.
%% Returns what he missed, of each pubsub host, if he comes back: of several sessions that come at once to
%% one only.
-spec arrive(jid:jid(), WasThere :: boolean(), WantsPushes :: boolean()) -> {ok, [absence()]} | error.
arrive(#jid{lserver = LServer} = Jid, WasThere, WantsPushes) ->
    Run = run(LServer),
    Services = twitter_service:all(LServer),
    Arrive =
        fun(Departure) ->
                %% On another node he has been sent everything.
                IsThere = WasThere orelse twitter_sessions:is_elsewhere(Jid),
                Arrival = {Run, until(LServer, WantsPushes), IsThere, WantsPushes},
                fun(_Host, Mark) ->
                        case twitter_nif:mark_arrive(Mark, Departure, Arrival) of
                            {New, undefined} -> {New, []};
                            {New, []} -> {New, []};
                            {New, Missed} -> {New, [{Missed, known(Mark)}]}
                        end
                end
        end,
    case departed(Services, Jid, Arrive) of
        {ok, Missed} ->
            {ok, [{Service, Gaps, Known} || #{host := Host} = Service <- Services,
                                            {Gaps, Known} <- maps:get(Host, Missed)]};
        error ->
            error
    end.

known(<<>>) -> first;
known(_Mark) -> known.

%% @doc The newest posts of a stream in these gaps, newest first, at most `Limit' and not much more than a
%% megabyte; and how many there are.
-spec load(twitter_view:view(), [twitter_nif:gap()], Limit :: non_neg_integer()) ->
          {[twitter_store:post()], Count :: non_neg_integer()}.
load(#{reader := #{service := Service} = Reader, authors := Authors}, Gaps, Limit) ->
    Name = twitter_reader:local_name(Reader),
    {Posts, Count} = twitter_index:missed(Service, Authors, Name, Gaps, Limit, ?MAX_BYTES),
    {twitter_items:load(Service, Name, Posts), Count}.

%% @doc The last session of a user of the vhost has gone.
-spec leave(jid:jid()) -> ok.
leave(#jid{lserver = LServer} = Jid) ->
    Leave = fun(undefined) -> fun(_Host, Mark) -> {Mark, []} end;
               (Departure) -> fun(_Host, Mark) -> {twitter_nif:mark_leave(Mark, Departure), []} end
            end,
    ok(departed(twitter_service:all(LServer), Jid, Leave)).

%% Changes the marks by what the core says of how he left, which is told once.
departed(Services, Jid, Change) ->
    writing(Services, Jid,
            fun() ->
                    Departure = twitter_sessions:take_departure(Jid),
                    case rewrite(Services, Jid, Change(effective(Jid, Departure))) of
                        {ok, Results} ->
                            {ok, Results};
                        error ->
                            ok = twitter_sessions:return_departure(Jid, Departure),
                            error
                    end
            end).

%% Whoever leaves this node, and is sent posts on another one, has not left. Two who leave two nodes at once come here
%% one after the other.
effective(_Jid, undefined) ->
    undefined;
effective(Jid, Departure) ->
    case twitter_sessions:is_elsewhere(Jid) of
        true -> undefined;
        false -> Departure
    end.

%%% The marks

change(Services, Jid, Change) ->
    writing(Services, Jid, fun() -> rewrite(Services, Jid, Change) end).

writing([], _Jid, _Write) ->
    error;
writing([Service | _], Jid, Write) ->
    try
        twitter_writer:run(Service, jid:encode(jid:remove_resource(jid:tolower(Jid))), Write)
    catch
        exit:{Reason, {gen_server, call, _}} ->
            ?WARNING_MSG("What ~ts has read is not noted: ~tp", [jid:encode(Jid), Reason]),
            error
    end.

%% Returns what `Change' says beside the new mark of each host.
rewrite(Services, Jid, Change) ->
    case read_stored(Jid) of
        {ok, Marks} ->
            Changed = maps:from_list([{Host, Change(Host, mark(Host, Jid, Marks))} || #{host := Host} <- Services]),
            written(Jid, Marks, Changed);
        error ->
            error
    end.

written(#jid{lserver = LServer} = Jid, Marks, Changed) ->
    Results = maps:map(fun(_Host, {_Mark, Result}) -> Result end, Changed),
    New = maps:merge(Marks, maps:map(fun(_Host, {Mark, _Result}) -> Mark end, Changed)),
    %% Of hosts that are not there any more nothing is kept.
    Served = maps:with([Host || #{host := Host} <- twitter_service:all(LServer)], New),
    case Served =:= Marks orelse twitter_private:write(Jid, element(Served)) of
        true -> {ok, Results};
        ok -> {ok, Results};
        {error, _} -> error
    end.

read(Jid) ->
    marks(twitter_private:read(Jid, ?NS)).

%% Another node may have changed them just now.
read_stored(#jid{lserver = LServer} = Jid) ->
    case twitter_cluster:members(LServer) of
        [] -> read(Jid);
        _ -> marks(twitter_private:read_stored(Jid, ?NS))
    end.

marks({ok, #xmlel{children = Children}}) ->
    {ok, maps:from_list([{fxml:get_tag_attr_s(<<"host">>, El), fxml:get_tag_cdata(El)}
                         || #xmlel{name = <<"mark">>} = El <- Children])};
marks(none) ->
    {ok, #{}};
marks({error, unavailable}) ->
    error.

mark(Host, #jid{lserver = LServer} = Jid, Marks) ->
    Mark = maps:get(Host, Marks, <<>>),
    case persistent_term:get({?MODULE, LServer}, none) of
        {_Run, Runs} -> twitter_nif:mark_pass(Mark, runs_since(twitter_nif:mark_run(Mark), Jid, Runs));
        none -> Mark
    end.

%% The runs of the node to which he came last.
runs_since(undefined, _Jid, Runs) ->
    Runs;
runs_since(Run, #jid{lserver = LServer} = Jid, Runs) ->
    case lists:member(Run, Runs) orelse twitter_cluster:members(LServer) =:= [] of
        true ->
            Runs;
        false ->
            case is_online(Jid) of
                true -> [];
                false -> runs_elsewhere(Run, LServer, Runs, ejabberd_cluster:get_known_nodes() -- [node()])
            end
    end.

runs_elsewhere(_Run, _LServer, Runs, []) ->
    Runs;
runs_elsewhere(Run, LServer, Runs, [Node | Nodes]) ->
    Others = runs(LServer, Node),
    case lists:member(Run, Others) of
        %% Nobody is in its last one, or he would be online.
        true -> Others ++ [?NEVER];
        false -> runs_elsewhere(Run, LServer, Runs, Nodes)
    end.

element(Marks) ->
    #xmlel{name = <<"unread">>, attrs = [{<<"xmlns">>, ?NS}],
           children = [#xmlel{name = <<"mark">>, attrs = [{<<"host">>, Host}], children = [{xmlcdata, Mark}]}
                       || {Host, Mark} <- maps:to_list(Marks)]}.

ok(_Changed) -> ok.
