%%% @doc Brings the changes of one author to a server that takes no relays: a message for each contact there, or
%%% one for many of them if the server has a service for that (XEP-0033). Runs in a {@link twitter_courier}.
%%%
%%% Messages are not answered, and ejabberd keeps those that cannot be sent in queues of its own. So the server
%%% is asked something after each few, and gets more when it has answered. To whom a message was sent is noted
%%% before: one that a kill hits does not get it, rather than get it twice.
-module(twitter_singles).

-include_lib("xmpp/include/xmpp.hrl").

-export([send/3]).

%% So many messages are sent before the server is asked whether it is there. What it answered counts so long.
-define(PORTION, 50).
-define(ANSWERED_MS, 10_000).
%% So often the author's roster is read as a whole; each reader's right is looked at when it is his turn.
-define(PAGE, 1000).
%% What is older is not sent any more, in seconds.
-define(KEEP_S, 300).

-type multicast() :: {Service :: binary(), MaxAddresses :: pos_integer()} | none.

%% @doc Returns when all was sent.
-spec send(twitter_courier:job(), multicast(), twitter_outbox:work()) -> ok.
send(Job, Multicast, #{changes := Changes, sent_to := SentTo} = Work) ->
    Oldest = twitter_unread:moment() - ?KEEP_S * 1_000_000,
    {Fresh, Old} = lists:partition(fun(Change) -> twitter_outbox:version(Change) >= Oldest end, Changes),
    Begun = [First || First <- lists:sublist(Changes, 1), SentTo =/= <<>>],
    ok = count(Job, dropped, length(Old -- Begun)),
    all(Job, Multicast, Work#{changes := (Begun -- Fresh) ++ Fresh}).

all(_Job, _Multicast, #{changes := []}) ->
    ok;
all(Job, Multicast, #{changes := [First | Others]} = Work) ->
    {Together, Left} = together(First, Others),
    case messages(Job, Together) of
        [] -> ok;
        Messages -> ok = each(Job, Multicast, Messages, Work)
    end,
    Next = Work#{changes := Left, sent_to := <<>>},
    ok = twitter_courier:note(Job, Next),
    all(Job, Multicast, Next).

%% Posts that were retracted at once.
together({retract, _, Version} = First, Others) ->
    {Same, Left} = lists:splitwith(fun(Change) -> is_retracted_at(Version, Change) end, Others),
    {[First | Same], Left};
together(First, Others) ->
    {[First], Others}.

is_retracted_at(Version, {retract, _, Version}) -> true;
is_retracted_at(_Version, _Change) -> false.

%% As they come to each reader, with what tells those apart who get one again. None, if a post has gone, or was
%% edited once more and is owed by itself.
messages(#{host := Host, author := Author, server_host := ServerHost}, [{item, Id, Version}]) ->
    [stamped(Message, #{published => twitter_store:micros(At), version => Changed})
     || #{at := At, changed := Changed, payload := Payload} <- twitter_store:posts(Host, [{Author, Id}]),
        Changed =< Version,
        Message <- twitter_event:to_friends(Host, Author, {item, Id, Payload}, mod_twitter_opt:body(ServerHost))];
messages(#{host := Host, author := Author}, [{retract, _, Version} | _] = Changes) ->
    [stamped(Message, #{version => Version})
     || Message <- twitter_event:to_friends(Host, Author, {retract, [Id || {retract, Id, _} <- Changes]}, false)];
messages(_Job, _TooMuchToTell) ->
    [].

stamped(#message{sub_els = Els} = Message, Stamp) ->
    Message#message{sub_els = Els ++ [twitter_relay:stamp(Stamp#{sent => twitter_unread:moment()})]}.

%%% To whom

each(Job, Multicast, Messages, #{sent_to := SentTo} = Work) ->
    case [Reader || Reader <- lists:sort(twitter_courier:readers(Job)), Reader > SentTo] of
        [] -> ok;
        Readers -> each(Job, Multicast, Messages, page(Job, Multicast, Messages, lists:sublist(Readers, ?PAGE), Work))
    end.

page(_Job, _Multicast, _Messages, [], Work) ->
    Work;
page(#{peer := {_, Domain}} = Job, none, Messages, Readers, Work) ->
    {Portion, Others} = lists:split(min(?PORTION, length(Readers)), Readers),
    ok = is_there(Job, Domain, length(Portion) * length(Messages)),
    ok = twitter_watch:sync(),
    Noted = lists:foldl(fun(Reader, Before) -> to_one(Job, Messages, Reader, Before) end, Work, Portion),
    page(Job, none, Messages, Others, Noted);
page(Job, {Service, Max} = Multicast, Messages, Readers, Work) ->
    {Portion, Others} = lists:split(min(Max, length(Readers)), Readers),
    ok = is_there(Job, Service, length(Messages)),
    ok = twitter_watch:sync(),
    Noted = Work#{sent_to := lists:last(Portion)},
    ok = twitter_courier:note(Job, Noted),
    case to_many(Job, Service, Messages, [Reader || Reader <- Portion, may_see(Job, Reader)]) of
        taken ->
            page(Job, Multicast, Messages, Others, Noted);
        refused ->
            %% None of them has got it.
            ok = twitter_courier:note(Job, Work),
            throw({stopped, {refused, multicast}})
    end.

%% Rights are those of the moment.
may_see(#{jid := Author}, Reader) ->
    twitter_roster:may_see(twitter_roster:bare(Reader), Author).

to_one(Job, Messages, Reader, Work) ->
    Noted = Work#{sent_to := Reader},
    ok = twitter_courier:note(Job, Noted),
    case may_see(Job, Reader) of
        true ->
            To = twitter_roster:bare(Reader),
            lists:foreach(fun(Message) -> ejabberd_router:route(Message#message{to = To}) end, Messages),
            ok = count(Job, routed, length(Messages));
        false ->
            ok = count(Job, withheld, 1)
    end,
    Noted.

%% A service that does not want this says so with an error, which comes before the answer to what it is asked then.
to_many(_Job, _Service, _Messages, []) ->
    taken;
to_many(#{server_host := ServerHost} = Job, Service, Messages, Readers) ->
    Id = <<"twitter-", (p1_rand:get_string())/binary>>,
    ok = twitter_awaited:await(ServerHost, {error, Id}),
    Addresses = #addresses{list = [#address{type = bcc, jid = twitter_roster:bare(Reader)} || Reader <- Readers]},
    lists:foreach(fun(#message{sub_els = Els} = Message) ->
                          ejabberd_router:route(Message#message{id = Id, to = jid:make(Service),
                                                                sub_els = Els ++ [Addresses]})
                  end, Messages),
    _ = twitter_courier:ask(Job, Service, get, #ping{}),
    ok = twitter_awaited:forgo(ServerHost, {error, Id}),
    receive
        {refused, Id} -> refused
    after 0 ->
            ok = count(Job, routed, length(Messages)),
            taken
    end.

%% The server has answered of late, and not been sent much since; or answers now.
is_there(#{table := Table, peer := Peer} = Job, Whom, Messages) ->
    case twitter_outbox:spend(Table, Peer, Messages) of
        true ->
            twitter_courier:reach(Job, Whom);
        false ->
            _ = twitter_courier:ask(Job, Whom, get, #ping{}),
            twitter_outbox:grant(Table, Peer, max(0, ?PORTION - Messages), ?ANSWERED_MS)
    end.

count(_Job, _Counter, 0) ->
    ok;
count(#{server_host := ServerHost}, Counter, N) ->
    case twitter_flow:find(ServerHost) of
        {ok, Flow} -> twitter_flow:count(Flow, Counter, N);
        error -> ok
    end.
