%%% @doc What a reader missed, brought to him when he comes online: in the process of the session that is the
%%% first to say so.
%%%
%%% A post is pushed to whoever is online when its recipients are noted, some time after it was stored; a
%%% session reads what was missed some time after it could be reached. So a post may come in both ways, and
%%% when a session leaves there are posts of which nobody knows yet whether it will get them. Nothing is missed
%%% for it, and nothing comes twice:
%%%
%%% The session sends a message to itself before it can be reached, so what was missed comes before anything
%%% that is pushed. It remembers what it has sent then, and takes no event of it that was stored before.
%%%
%%% When it leaves, the posts that are on their way are unread, but for those that have arrived here: these are
%%% remembered too. What comes later it does not take any more.
-module(twitter_catch_up).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([available/1, resumed/1, departure/1]).
-export([handle/2, shown/1, takes/2, meta/1, unconfirmed/1]).
-export_type([shown/0]).

-record(shown, {host :: binary(),
                author :: twitter_nif:jid(),
                id :: binary(),
                %% When it was published; nothing is said of edits.
                at :: non_neg_integer() | none,
                %% It was stored before.
                stored :: non_neg_integer(),
                hash :: non_neg_integer()}).
-opaque shown() :: #shown{} | none.
%% What an event shows, as far as it matters here.

%% The posts that came last are looked through after so many more, for those of a time of which others are still
%% on their way; of these, so many are remembered at most.
-define(RECENT, 32).
-define(MAX_RECENT, 1000).
%% So long what was sent to one who came is remembered, and longer if posts of that time still wait.
-define(SETTLED_MS, 60_000).

%%% In the process dictionary, for not all hooks are given the state of the session:
%%% ?MODULE            arriving, {arriving, again}, {present, Run} or left
%%% {?MODULE, recent}  when the last posts were published that came
%%% {?MODULE, sent}    what was sent as missed, and when it was looked for last
%%% {?MODULE, had}     what was no longer unread then, and may be on its way
%%% {?MODULE, looked}  when this session looked for what was missed, and until when that was posted
%%% {?MODULE, lost}    when posts were published that the client did not confirm

%% @doc This session has sent presence, and can be reached when this has returned.
-spec available(LServer :: binary()) -> ok.
available(LServer) ->
    Run = twitter_unread:run(LServer),
    case get(?MODULE) of
        {present, Run} -> ok;
        {present, _Earlier} -> arriving({arriving, again});
        arriving -> ok;
        {arriving, again} -> ok;
        _ -> arriving(arriving)
    end.

arriving(Arriving) ->
    put(?MODULE, Arriving),
    self() ! {?MODULE, arrived},
    ok.

%% @doc This session goes on for another one (XEP-0198): its user has been there all the time.
-spec resumed(LServer :: binary()) -> ok.
resumed(LServer) ->
    put(?MODULE, {present, twitter_unread:run(LServer)}),
    ok.

%% @doc This session is about to leave: what its user will not have got, if it is his last one.
-spec departure(LServer :: binary()) -> twitter_nif:departure().
departure(LServer) ->
    put(?MODULE, left),
    %% In this order: what is complete by now has arrived here, if it was to.
    {OnWay, OthersSince} = twitter_backlog:on_way(LServer),
    lists:foreach(fun lose/1, waiting()),
    Lost = erased(lost, []),
    {_, Recent} = value(recent, {0, []}),
    {max(0, OthersSince - 1), Lost, unsettled(OnWay), Recent}.

%% Of what was there to be read when this session looked for what was missed, the mark says what is unread.
unsettled(Posts) ->
    {Began, Until} = value(looked, {0, 0}),
    [At || {At, Stored} <- Posts, At > Until orelse Stored > Began].

value(Key, Default) ->
    case get({?MODULE, Key}) of
        undefined -> Default;
        Value -> Value
    end.

erased(Key, Default) ->
    case erase({?MODULE, Key}) of
        undefined -> Default;
        Value -> Value
    end.

%% Events that will not be taken any more.
waiting() ->
    case process_info(self(), message_queue_len) of
        {_, 0} ->
            [];
        _ ->
            {messages, Messages} = process_info(self(), messages),
            [Shown || Message <- Messages, #shown{} = Shown <- [twitter_c2s:shown(Message)]]
    end.

%% @doc A message that this session has been sent: by itself, or because it was found.
-spec handle(arrived | settled, ejabberd_c2s:state()) -> ejabberd_c2s:state().
handle(arrived, #{lserver := LServer} = State) ->
    case {get(?MODULE), twitter_service:all(LServer) =/= [] andalso twitter_unread:run(LServer)} of
        {left, _Run} ->
            State;
        %% Nothing is missed where there is no service, and who came before it begins is told then.
        {_, Run} when not is_integer(Run) ->
            erase(?MODULE),
            State;
        {{present, Run}, Run} ->
            State;
        {{present, _Earlier}, Run} ->
            arrived(State, Run, true);
        {{arriving, again}, Run} ->
            arrived(State, Run, true);
        {_, Run} ->
            %% It may end before anything could be sent.
            case is_deaf(State) of
                true -> State;
                false -> arrived(State, Run, false)
            end
    end;
handle(settled, #{lserver := LServer} = State) ->
    case get({?MODULE, sent}) of
        {Began, _} ->
            case twitter_backlog:complete_until(LServer) > Began of
                true -> erase({?MODULE, sent});
                false -> settle_later()
            end;
        undefined ->
            ok
    end,
    State.

settle_later() ->
    erlang:send_after(?SETTLED_MS, self(), {?MODULE, settled}).

arrived(#{jid := Jid, lserver := LServer} = State, Run, WasThere) ->
    put(?MODULE, {present, Run}),
    case twitter_unread:is_kept(LServer) of
        true ->
            Reader = jid:remove_resource(Jid),
            #{pushes := Pushes} = Settings = twitter_settings:get(Reader),
            case twitter_unread:arrive(Reader, WasThere, Pushes) of
                {ok, Absences} ->
                    lists:foldl(fun(Absence, Before) -> catch_up(Absence, Settings, Before) end, State, Absences);
                error ->
                    State
            end;
        false ->
            State
    end.

%% Storage that fails must not end the session: then nothing is sent, and it stays unread.
catch_up({#{host := Host} = Service, _Gaps, _Known} = Absence, Settings, #{jid := Jid} = State) ->
    Bare = jid:remove_resource(Jid),
    try missed(Absence, Settings, State) of
        {Posts, Seen} ->
            Send = fun(Post, Before) -> send(Service, Settings, Post, Before) end,
            Sent = lists:foldl(Send, State, lists:reverse(Posts)),
            ok = see(Service, Bare, Seen),
            Sent
    catch
        throw:{refused, Error} ->
            not_sent(Host, Bare, xmpp:format_stanza_error(Error)),
            State;
        Class:Reason ->
            not_sent(Host, Bare, io_lib:format("~0tp", [{Class, Reason}])),
            State
    end.

not_sent(Host, Jid, Reason) ->
    ?ERROR_MSG("What ~ts missed at ~ts is not sent: ~ts", [jid:encode(Jid), Host, Reason]).

see(_Service, _Jid, none) -> ok;
see(Service, Jid, {Oldest, Newest}) -> twitter_unread:seen(Service, Jid, Oldest, Newest).

%% The posts to be sent, newest first, and what is seen then. Of somebody who comes for the first time,
%% everything.
missed({Service, Gaps, Known}, Settings, #{jid := Jid, lang := Lang} = State) ->
    {_, Until} = lists:last(Gaps),
    Began = twitter_unread:moment(),
    ok = note_had(Service, {Began, Until}, Gaps),
    case limit(Service, Settings) of
        0 ->
            put({?MODULE, looked}, {Began, Until}),
            {[], case Known of first -> {0, Until}; known -> none end};
        Limit ->
            Reader = (twitter_reader:local(Jid, Service, Lang))#{who := twitter_c2s:reader_of(State)},
            Stream = twitter_view:open(Reader, {stream, friends}),
            {Posts, Count} = twitter_unread:load(Stream, Gaps, Limit),
            put({?MODULE, looked}, {Began, Until}),
            ok = remember(Service, Began, Posts),
            {Posts, case lists:reverse(Posts) of
                        _ when Known =:= first -> {0, Until};
                        Sent when length(Sent) =:= Count -> {element(1, hd(Gaps)) + 1, Until};
                        [#{at := Oldest} | _] -> {twitter_store:micros(Oldest), Until};
                        [] -> none
                    end}
    end.

limit(_Service, #{catch_up := false}) -> 0;
limit(#{server_host := ServerHost}, _Settings) -> mod_twitter_opt:catch_up(ServerHost).

send(#{host := Host, server_host := ServerHost}, #{bodies := Bodies}, Post, State) ->
    #{author := Author, id := Id, at := At, payload := Payload} = Post,
    From = maps:get(from, Post, Host),
    Delay = xmpp:encode(#delay{stamp = At, from = jid:make(From)}),
    Body = Bodies andalso mod_twitter_opt:body(ServerHost),
    lists:foldl(
      fun(#message{sub_els = Els} = Event, Before) ->
              Late = Event#message{sub_els = Els ++ [Delay], meta = meta(twitter_store:micros(At))},
              twitter_c2s:send_late(Before, Late, mod_twitter_opt:delivery(ServerHost))
      end, State, twitter_event:to_friends(From, Author, {item, Id, Payload}, Body)).

%%% What is pushed

%% What was posted before, and was not unread: an earlier session of this user had it, though it may still be on
%% its way.
note_had(#{host := Host}, Looked, Gaps) ->
    Had = value(had, #{}),
    _ = put({?MODULE, had}, Had#{Host => {Looked, Gaps}}),
    ok.

was_had(#shown{host = Host, at = At, stored = Stored}) ->
    case value(had, #{}) of
        #{Host := {{Began, Until}, Gaps}} when is_integer(At), At =< Until, Stored =< Began ->
            not lists:any(fun({After, End}) -> After < At andalso At =< End end, Gaps);
        #{} ->
            false
    end.

remember(_Service, _Began, []) ->
    ok;
remember(#{host := Host, server_host := ServerHost}, Began, Posts) ->
    Sent = maps:from_list([{{Host, Author, Id}, {Began, hash(Payload)}}
                           || #{author := Author, id := Id, payload := Payload} <- Posts]),
    {_, Before} = value(sent, {0, #{}}),
    put({?MODULE, sent}, {Began, maps:merge(Before, Sent)}),
    _ = settle_later(),
    %% They may still be on their way as well when this session leaves.
    lists:foreach(fun(#{at := At}) -> note(ServerHost, twitter_store:micros(At)) end, lists:reverse(Posts)).

hash(Payload) ->
    erlang:phash2(Payload, 1 bsl 32).

%% @doc What is known here of the event of a post.
-spec shown(twitter_fanout:post()) -> shown().
shown(#{host := Host, author := Author, what := {item, Id, Payload}, at := At, stored := Stored}) ->
    #shown{host = Host, author = Author, id = Id, at = At, stored = Stored, hash = hash(Payload)};
shown(_Retraction) ->
    none.

%% @doc Whether this session takes an event that has arrived: not if it has left, or its stream has ended, or
%% it was sent the same as missed.
-spec takes(ejabberd_c2s:state(), shown()) -> boolean().
takes(_State, none) ->
    true;
takes(#{lserver := LServer} = State, #shown{at = At} = Shown) ->
    case {is_deaf(State), get(?MODULE)} of
        {true, _} -> lose(Shown), false;
        {false, left} -> false;
        %% Sent before it left.
        {false, arriving} -> false;
        {false, _} -> not was_had(Shown) andalso is_new(Shown, get({?MODULE, sent})) andalso note(LServer, At)
    end.

%% Nothing that is sent now arrives, or waits for the session to be resumed.
is_deaf(#{mgmt_state := pending}) -> false;
is_deaf(#{stream_state := established}) -> false;
is_deaf(_State) -> true.

%% The user will not have got this post, unless he was sent it as missed.
lose(#shown{at = At, stored = Stored} = Shown) ->
    case is_integer(At) andalso is_new(Shown, get({?MODULE, sent})) andalso unsettled([{At, Stored}]) of
        [At] ->
            _ = put({?MODULE, lost}, [At | value(lost, [])]),
            ok;
        _ ->
            ok
    end.

is_new(_Shown, undefined) ->
    true;
is_new(#shown{host = Host, author = Author, id = Id, stored = Stored, hash = Hash}, {Last, Sent}) ->
    Key = {Host, Author, Id},
    case Sent of
        #{Key := {Began, _}} when Stored =< Began -> false;
        #{Key := {_, Hash}} -> false;
        #{Key := _} ->
            %% It was edited since; of its author nothing older comes after this.
            put({?MODULE, sent}, {Last, maps:remove(Key, Sent)}),
            true;
        #{} -> true
    end.

note(_LServer, none) ->
    true;
note(LServer, At) ->
    put({?MODULE, recent}, case get({?MODULE, recent}) of
                               undefined -> {?RECENT, [At]};
                               {0, Recent} -> pruned(LServer, [At | Recent]);
                               {Left, Recent} -> {Left - 1, [At | Recent]}
                           end),
    true.

pruned(LServer, Recent) ->
    CompleteUntil = twitter_backlog:complete_until(LServer),
    Left = [At || At <- lists:sublist(Recent, ?MAX_RECENT), At >= CompleteUntil],
    {max(?RECENT, length(Left)), Left}.

%%% What the client confirms (XEP-0198)

%% @doc A message that brings the post of that moment says so.
-spec meta(shown() | non_neg_integer() | none) -> map().
meta(#shown{at = At}) -> meta(At);
meta(At) when is_integer(At) -> #{?MODULE => At};
meta(none) -> #{}.

%% @doc A session ends. What its client had not confirmed has not arrived; but if the client closed the
%% stream itself, it has waited for all.
-spec unconfirmed(ejabberd_c2s:state()) -> ok.
unconfirmed(#{mgmt_state := resumed}) ->
    ok;
unconfirmed(#{stop_reason := {stream, reset}}) ->
    ok;
unconfirmed(#{mgmt_queue := Queue}) ->
    put({?MODULE, lost}, p1_queue:foldl(fun lost/2, value(lost, []), Queue)),
    ok;
unconfirmed(_State) ->
    ok.

lost({_Number, _Time, #message{meta = #{?MODULE := At}}}, Lost) -> [At | Lost];
lost(_Other, Lost) -> Lost.
